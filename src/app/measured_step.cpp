#include "measured_step.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "palimpsest/comm/collectives.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/device/placement.h"
#include "palimpsest/device/streams.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {
namespace {

constexpr double kSeconds = 2;               // of measuring each kind of step
constexpr std::size_t kFewest = 3;           // steps; the first is not counted
constexpr std::int64_t kEpochs = 1'000'000;  // more than the clock lets through

struct TimeIsUp {};

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

class StepTimer {
 public:
  StepTimer(const RunConfig& config, const Inputs& inputs, const Placement& placement,
            HostGroup& group, Watchdog& watchdog)
      : config_(config),
        inputs_(inputs),
        model_(make_backbone(inputs.weights, inputs.backbone, inputs.choice, placement.device)),
        pixels_(placement.device, placement.room_for_images()),
        make_graph_(placement.make_graph),
        collectives_(make_single_collectives()),
        group_(group),
        watchdog_(watchdog),
        stop_(group, 0) {
    config_.drop_last = true;  // all batches are whole
    config_.epochs = kEpochs;
    config_.lr = config_.head_lr = 0;
    model_->set_difference(std::vector<float>(static_cast<std::size_t>(model_->layout().size())));
  }

  const Task& task() const { return inputs_.tasks.front(); }

  // The median step over `lanes` lanes of `samples` samples each.
  double step_seconds(std::int64_t lanes, std::int64_t samples) {
    config_.batch = lanes * samples;
    group_.barrier("before a measurement");
    std::vector<double> seconds;
    const Stopwatch all;
    Stopwatch step;
    try {
      train_task(context(lanes), task(), std::nullopt, [&](const TaskProgress&, const auto&) {
        seconds.push_back(step.seconds());
        if (all.seconds() > kSeconds && seconds.size() >= kFewest) throw TimeIsUp{};
        step = Stopwatch();
      });
    } catch (const TimeIsUp&) {
    }
    seconds.erase(seconds.begin());
    return slowest(median(std::move(seconds)));
  }

  // To read and prepare one of `samples` samples.
  double input_seconds(std::int64_t samples) {
    std::vector<std::int64_t> positions(static_cast<std::size_t>(samples));
    std::iota(positions.begin(), positions.end(), 0);
    const TrainingContext reading = context(1);
    std::vector<double> seconds;
    const Stopwatch all;
    while (all.seconds() < 0.1 * kSeconds || seconds.size() < kFewest) {
      const Stopwatch one;
      reading.reader.training_view(task(), positions, 0);
      wait_for(model_->device());
      seconds.push_back(one.seconds());
    }
    return slowest(median(std::move(seconds)) / static_cast<double>(samples));
  }

 private:
  TrainingContext context(std::int64_t lanes) {
    return {.config = config_,
            .lanes = {.count = lanes},
            .reader = {inputs_.pack, inputs_.transform, config_.seed, pixels_},
            .model = *model_,
            .group = group_,
            .collectives = *collectives_,
            .watchdog = watchdog_,
            .stop = stop_,
            .events = events_,
            .make_graph = make_graph_};
  }

  double slowest(double seconds) {
    constexpr double kNano = 1e-9;
    return kNano * static_cast<double>(group_.max(static_cast<std::int64_t>(seconds / kNano),
                                                  "agreement on a measurement"));
  }

  RunConfig config_;
  const Inputs& inputs_;
  std::unique_ptr<Backbone> model_;
  PixelSource pixels_;
  MakeGraph make_graph_;
  std::unique_ptr<Collectives> collectives_;
  HostGroup& group_;
  Watchdog& watchdog_;
  StopRequest stop_;
  RunEvents events_;
};

}  // namespace

ComputeCost measured_cost(const RunConfig& config, const Inputs& inputs,
                          const Operations& operations, LaneSizes sizes, std::string_view choice,
                          HostGroup& group, Watchdog& watchdog) {
  configure_processor(static_cast<int>(config.threads));
  Placement placement = make_placement(choice, config.share_device, group, watchdog);
  if (!config.cuda_graphs) placement.make_graph = nullptr;
  StepTimer timer(config, inputs, placement, group, watchdog);
  const std::int64_t most = timer.task().train.size();
  if (most < 2) {
    throw UsageError(
        "plan: a training step is measured with two samples at least; the first task has one");
  }
  const std::int64_t small = std::max<std::int64_t>(std::min(sizes.small, most / 2), 1);
  const auto few = static_cast<double>(small);

  timer.step_seconds(1, small);  // pages in, kernels chosen
  const double one = timer.step_seconds(1, small);
  const double two = timer.step_seconds(2, small);
  const auto in_time = static_cast<std::int64_t>(kSeconds * few / one);
  const std::int64_t large =
      std::clamp(std::min(sizes.large, in_time), small + 1, std::max(most, small + 1));
  const double whole = timer.step_seconds(1, large);

  // one = step + lane + few * sample, and so on; none is below zero.
  const double sample =
      std::clamp((whole - one) / static_cast<double>(large - small), 0.1 * one / few, one / few);
  const double rest = one - few * sample;
  const double lane = std::clamp(two - one - few * sample, 0.0, rest);
  // Part of a sample's time is computing, whatever the clock says.
  const double input = std::min(timer.input_seconds(large), 0.9 * sample);
  const double rate = operations.training / (sample - input);
  return {.step = rest - lane,
          .lane = lane,
          .sample = sample - input,
          .fisher = operations.fisher / rate,
          .forward = operations.forward / rate,
          .input = input};
}

}  // namespace palimpsest
