#include <algorithm>
#include <array>
#include <fstream>
#include <set>

#include "palimpsest/continual/run.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "planning.h"

namespace palimpsest {
namespace {

constexpr double kStepSeconds = 2;   // of each kind of step
constexpr double kTaskSeconds = 60;  // of the tasks
constexpr std::int64_t kFewest = 3;  // steps; the first is not counted

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

// "VmHWM" and "VmRSS" are the most that this process has had, and what it has now.
double process_memory(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name + ":")) return 1024 * std::stod(line.substr(name.size() + 1));
  throw Error(concat("/proc/self/status has no ", name, ": the memory can't be measured"));
}

// So many samples, spread evenly over all, with these among them.
LabelledSamples take_samples(const LabelledSamples& all, std::int64_t count,
                             std::set<std::int64_t> positions) {
  count = std::min(count, all.size());
  for (std::int64_t i = 0; i < count && std::ssize(positions) < count; ++i)
    positions.insert((2 * i + 1) * all.size() / (2 * count));
  LabelledSamples some;
  for (const std::int64_t position : positions) {
    some.samples.push_back(all.samples[static_cast<std::size_t>(position)]);
    some.targets.push_back(all.targets[static_cast<std::size_t>(position)]);
  }
  return some;
}

// Few ranks may measure for many.
RunConfig without_shards(RunConfig config) {
  config.shard_memory = false;
  return config;
}

class MeasuredRun : RunListener {
 public:
  MeasuredRun(const RunConfig& config, Inputs inputs, HostGroup& group, Watchdog& watchdog)
      : tasks_(inputs.tasks),
        run_{.session = open_session(without_shards(config), std::move(inputs), 0, group, watchdog,
                                     events_),
             .method = make_method(config),
             .identity = {},
             .folder = RunFolder(""),
             .state = {}},
        ranks_(group.size()) {
    // Their time is counted (tested_besides).
    session().inputs.general.reset();
    session().inputs.has_task_score = false;
    for (Task& task : tasks_) task.scores.clear();
    if (group.rank() == 0) events_.add(*this);
  }

  // Of a step over `lanes` lanes of `samples` samples on each rank.
  double step_seconds(std::int64_t lanes, std::int64_t samples, double expected) {
    set_batch(lanes, samples, config().evaluation_batch);
    config().epochs =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(kStepSeconds / expected), kFewest, 1000);
    Task& task = session().inputs.tasks.front();
    task.train = take_samples(tasks_.front().train, config().batch, {});
    config().batch = task.train.size();
    seconds_.clear();
    const auto size = static_cast<std::size_t>(session().model->layout().size());
    train_task(session(), task, run_.method.training,
               {.weights = make_weights(std::vector<float>(size))},
               [](const auto&, const auto&) {});
    if (!seconds_.empty()) seconds_.erase(seconds_.begin());
    return agreed(seconds_.empty() ? 0 : median(seconds_));
  }

  // Learns the first tasks as the run does, of so many batches each. Returns the seconds of a
  // sample in Fisher pass and evaluation.
  struct PassSeconds {
    double fisher = 0, forward = 0;
  };
  PassSeconds learn_tasks(std::int64_t lanes, std::int64_t samples, std::int64_t batches,
                          std::int64_t evaluation_batch) {
    set_batch(lanes, samples, evaluation_batch);
    config().epochs = 1;
    std::int64_t tested = 0;
    for (Task& task : session().inputs.tasks) {
      const Task& all = tasks_[static_cast<std::size_t>(task.index)];
      // One of each class, and the longest, to which its lane is padded.
      std::set<std::int64_t> needed, classes;
      std::int64_t longest = 0;
      for (std::int64_t i = 0; i < all.train.size(); ++i) {
        if (classes.insert(all.train.targets[static_cast<std::size_t>(i)]).second) needed.insert(i);
        if (token_count(all.train, i) > token_count(all.train, longest)) longest = i;
      }
      needed.insert(longest);
      const std::int64_t taken = task.index == 0 ? batches : 1;
      task.train = take_samples(all.train, taken * config().batch, std::move(needed));
      sort_by_length(task.train);
      task.test =
          take_samples(all.test, std::min(all.test.size(), taken * ranks_ * evaluation_batch), {});
    }
    const bool fisher = run_.method.needs_curvature();
    run_.state =
        initial_state(session().model->layout(),
                      session().is_root() && fisher ? run_.method.curvature->instance() : "");
    broadcast_state(session().group, run_.state);
    PassSeconds result;
    for (const Task& task : run_.remaining().first(std::min<std::size_t>(2, tasks_.size()))) {
      const TaskMetrics metrics = learn(run_, task, nullptr).metrics;
      tested += task.test.size();
      trained_samples_ = task.train.size();
      if (metrics.seconds_fisher > 0) {  // not of a task that trains a head alone
        const std::int64_t measured = measured_samples(*run_.method.curvature, task);
        result.fisher =
            metrics.seconds_fisher / static_cast<double>(largest_share(measured, ranks_));
      }
      result.forward =
          metrics.seconds_evaluate / static_cast<double>(2 * largest_share(tested, ranks_));
    }
    return {agreed(result.fisher), agreed(result.forward)};
  }

  // Bytes that more samples and more classes take: features of a whole task, and what classifiers
  // count.
  double counted() const {
    const auto largest =
        std::ranges::max_element(tasks_, {}, [](const Task& task) { return task.train.size(); });
    const bool features = run_.method.takes_features() ||
                          !run_.method.training.adapter->learns(tasks_.back().index).any();
    const std::int64_t vectors = features ? largest->train.size() - trained_samples_ : 0;
    const std::int64_t width = run_.session.model->feature_size();
    const auto learned = [&](std::int64_t samples, std::span<const Task> tasks) {
      const ClassesSeen seen = classes_seen(tasks, run_.session.config.scenario);
      return classifier_cost(run_.method, samples, width, seen.count()).bytes();
    };
    const std::span<const Task> all(tasks_);
    return sizeof(float) * static_cast<double>(vectors * width) +
           learned(largest->train.size(), all) -
           learned(trained_samples_, all.first(std::min<std::size_t>(2, all.size())));
  }

 private:
  Session& session() { return run_.session; }
  RunConfig& config() { return run_.session.config; }

  void on(const StepDone& step) override { seconds_.push_back(step.seconds); }

  std::int64_t token_count(const LabelledSamples& split, std::int64_t position) const {
    const Pack& pack = run_.session.inputs.pack;
    return pack.has_texts() ? pack.length(split.samples[static_cast<std::size_t>(position)]) : 0;
  }

  // The shortest first: passes that come to longer texts again and again make the heap grow early
  // as it does late in a run.
  void sort_by_length(LabelledSamples& split) const {
    if (!run_.session.inputs.pack.has_texts()) return;
    std::vector<std::array<std::int64_t, 3>> samples;
    for (std::size_t i = 0; i < split.samples.size(); ++i)
      samples.push_back(
          {run_.session.inputs.pack.length(split.samples[i]), split.samples[i], split.targets[i]});
    std::ranges::sort(samples);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      split.samples[i] = samples[i][1];
      split.targets[i] = samples[i][2];
    }
  }

  void set_batch(std::int64_t lanes, std::int64_t samples, std::int64_t evaluation_batch) {
    session().inputs.tasks = tasks_;
    session().lanes = {.count = lanes * ranks_};
    config().batch = lanes * ranks_ * samples;
    config().evaluation_batch = evaluation_batch;
    config().passes_per_epoch = 1;
    config().drop_last = false;
    config().evaluate = {};
    config().evaluate_before_merge = true;
  }

  double agreed(double seconds) {
    constexpr double kNano = 1e-9;
    return kNano * static_cast<double>(session().group.max(
                       static_cast<std::int64_t>(seconds / kNano), "agreement on a measurement"));
  }

  std::vector<Task> tasks_;
  RunEvents events_;
  OpenRun run_;
  std::int64_t ranks_, trained_samples_ = 0;
  std::vector<double> seconds_;  // of steps; on rank 0
};

// one = step + lane + small * sample, and so on; none is below zero.
ComputeCost step_cost(MeasuredRun& measured, std::int64_t small, std::int64_t wanted) {
  const double first = measured.step_seconds(1, small, 1);  // pages in, kernels chosen
  const double one = measured.step_seconds(1, small, first);
  const double two = measured.step_seconds(2, small, 2 * one);
  const auto few = static_cast<double>(small);
  const auto in_time = static_cast<std::int64_t>(kStepSeconds * few / one);
  const std::int64_t large = std::max(std::min(wanted, in_time), small + 1);
  const auto many = static_cast<double>(large);
  const double whole = measured.step_seconds(1, large, one * many / few);
  const double sample = std::clamp((whole - one) / (many - few), 0.1 * one / few, one / few);
  const double rest = one - few * sample;
  const double lane = std::clamp(two - one - few * sample, 0.0, rest);
  return {.step = rest - lane, .lane = lane, .sample = sample};
}

}  // namespace

MeasuredCosts measure_costs(const RunConfig& config, Inputs inputs, const Workload& work,
                            std::int64_t ranks, HostGroup& group, Watchdog& watchdog) {
  const std::int64_t most = inputs.tasks.front().train.size();
  if (most < 2)
    throw UsageError(
        "plan: expected at least two training samples in the first task, to measure a step; found "
        "one");
  MeasuredRun measured(config, std::move(inputs), group, watchdog);
  MeasuredCosts result{.opened = process_memory("VmRSS")};
  const Workload spread = over_ranks(work, ranks);
  const std::int64_t lanes = largest_share(spread.lanes, ranks);
  const std::int64_t wanted = std::min(largest_share(work.batch, spread.lanes), most);
  const bool has_steps = work.rank > 0;
  if (has_steps) {
    const std::int64_t small =
        std::min(largest_share(work.batch, over_ranks(work, kMostRanks).lanes), most / 2);
    result.cost = step_cost(measured, small, wanted);
  }

  // Steps, a Fisher pass and passes without a backward one, of two tasks. Batches of texts
  // differ in length, and the heap grows with their variety.
  const double all = 4 * static_cast<double>(lanes * wanted) * result.cost.sample;
  const double share = kTaskSeconds / std::max(all, 1e-9);
  const auto samples =
      std::clamp(static_cast<std::int64_t>(std::min(share, 1.0) * static_cast<double>(wanted)),
                 std::min<std::int64_t>(2, wanted), wanted);
  const auto batches =
      static_cast<std::int64_t>(work.model.texts ? std::clamp(share, 1.0, 1e6) : 1);
  const auto passes = measured.learn_tasks(
      lanes, samples, batches, largest_share(config.evaluation_batch * samples, wanted));
  result.cost.fisher = passes.fisher;
  result.cost.forward = passes.forward;
  if (!has_steps) result.cost.sample = passes.forward;
  result.peak = process_memory("VmHWM");
  result.measured_share = static_cast<double>(samples) / static_cast<double>(wanted);
  const CountedMemory memory = counted_memory(work, ranks, false);
  result.counted =
      measured.counted() + (1 - result.measured_share) * memory.activations + memory.saving;
  return result;
}

}  // namespace palimpsest
