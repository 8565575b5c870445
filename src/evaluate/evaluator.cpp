#include "palimpsest/evaluate/evaluator.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "completions.h"
#include "palimpsest/model/recorded_pass.h"
#include "palimpsest/session/chunk_loop.h"

namespace palimpsest {
namespace {

// What became of each sample: right, right given its task, among the five largest, of the right
// task.
enum Outcome : std::int64_t { kCorrect, kGivenTask, kTopFive, kOwnTask, kOutcomes };
constexpr const char* kNames[] = {"correct", "correct_given_task", "correct_top5", "correct_task"};

// [kOutcomes, samples] bool. logits: [samples, all classes]; the task's classes begin at `first`.
at::Tensor count_outcomes(const at::Tensor& logits, const at::Tensor& targets, std::int64_t first,
                          std::int64_t classes) {
  const at::Tensor chosen = logits.argmax(1), target = targets + first;
  const at::Tensor column = target.unsqueeze(1), own = logits.gather(1, column);
  const at::Tensor place = at::arange(logits.size(1), target.options());
  // Where logits are equal, the first class goes before, as for argmax.
  const at::Tensor before =
      at::logical_not(logits.le(own)).logical_or(logits.eq(own).logical_and(place.lt(column)));
  return at::stack({chosen.eq(target), logits.narrow(1, first, classes).argmax(1).eq(targets),
                    before.sum(1).lt(5), chosen.ge(first).logical_and(chosen.lt(first + classes))});
}

// What is known without the model; and of which task and class, among all, each sample is.
struct Samples {
  EvaluationRow row;
  std::vector<std::size_t> task_by_sample, class_by_sample;
};

// Of the tasks from `first` on.
Samples find_samples(std::span<const Task> tasks, std::size_t first) {
  Samples all;
  for (const Task& task : tasks) {
    const std::size_t first_class = all.row.class_samples.size();
    all.row.class_samples.resize(first_class + task.classes.size());
    if (all.row.samples.size() < first) {
      all.row.samples.push_back(0);
      continue;
    }
    for (const std::int64_t target : task.test.targets) {
      all.task_by_sample.push_back(all.row.samples.size());
      all.class_by_sample.push_back(first_class + static_cast<std::size_t>(target));
      ++all.row.class_samples[all.class_by_sample.back()];
    }
    all.row.samples.push_back(task.test.size());
  }
  return all;
}

// How many of the samples of each place were so; `outcome`: by sample, false for those of other
// ranks.
std::vector<std::int64_t> count_by_group(const bool* outcome,
                                         const std::vector<std::size_t>& places, std::size_t size) {
  std::vector<std::int64_t> counts(size);
  for (std::size_t i = 0; i < places.size(); ++i) counts[places[i]] += outcome[i] ? 1 : 0;
  return counts;
}

// The task of each chunk. samples: by task.
std::vector<std::size_t> find_tasks_of_chunks(std::span<const std::int64_t> samples,
                                              std::int64_t size) {
  std::vector<std::size_t> task_by_chunk;
  for (std::size_t j = 0; j < samples.size(); ++j)
    task_by_chunk.insert(task_by_chunk.end(), chunks(samples[j], size).size(), j);
  return task_by_chunk;
}

// [samples, classes of each classifier after one another]
at::Tensor all_scores(const at::Tensor& features, std::span<const ClassScores> classifiers) {
  std::vector<at::Tensor> scores;
  for (const ClassScores& classifier : classifiers) scores.push_back(classifier(features));
  return at::cat(scores, 1);
}

// What became of the samples by one classifier. Where the model is, so that nothing waits for a
// chunk.
class Outcomes {
 public:
  Outcomes(const Samples& samples, std::int64_t chunk_size, at::Device device)
      : task_by_chunk_(find_tasks_of_chunks(samples.row.samples, chunk_size)),
        outcomes_(at::zeros({kOutcomes, std::ssize(samples.task_by_sample)},
                            at::TensorOptions(device).dtype(at::kBool))),
        losses_(at::zeros({std::ssize(task_by_chunk_)},
                          at::TensorOptions(device).dtype(at::kDouble))) {}

  // scores: [samples, classes seen], of the chunk of this number, whose first sample is at `place`.
  // The task's classes begin at `first`.
  void add(const at::Tensor& scores, const at::Tensor& targets, std::int64_t first,
           std::int64_t classes, std::int64_t place, std::int64_t chunk) const {
    outcomes_.narrow(1, place, scores.size(0))
        .copy_(count_outcomes(scores, targets, first, classes));
    losses_[chunk].copy_(at::cross_entropy_loss(scores.narrow(1, first, classes).to(at::kDouble),
                                                targets, {}, at::Reduction::Sum));
  }

  // Collective: the sums over all ranks.
  EvaluationRow row(HostGroup& group, const Samples& samples) const {
    EvaluationRow row = samples.row;
    const at::Tensor became = outcomes_.to(at::kCPU);
    for (std::int64_t k = 0; k < kOutcomes; ++k) {
      std::vector<std::int64_t> counts = count_by_group(became[k].const_data_ptr<bool>(),
                                                        samples.task_by_sample, row.samples.size());
      group.sum(std::span(counts), "evaluation counts");
      row.add(kNames[k], {counts.begin(), counts.end()});
    }
    row.class_correct = count_by_group(became[kCorrect].const_data_ptr<bool>(),
                                       samples.class_by_sample, row.class_samples.size());
    group.sum(std::span(row.class_correct), "evaluation counts by class");
    // What only one rank has keeps its bits.
    const at::Tensor found = losses_.to(at::kCPU);
    std::vector<double> by_chunk(found.const_data_ptr<double>(),
                                 found.const_data_ptr<double>() + found.numel());
    group.sum(std::span(by_chunk), "evaluation losses");
    std::vector<double> loss(row.samples.size());
    for (std::size_t i = 0; i < by_chunk.size(); ++i) loss[task_by_chunk_[i]] += by_chunk[i];
    row.add("loss_given_task", std::move(loss));
    return row;
  }

 private:
  std::vector<std::size_t> task_by_chunk_;
  at::Tensor outcomes_;  // [kOutcomes, samples] bool
  at::Tensor losses_;    // [chunks], float64
};

}  // namespace

std::size_t first_tested(const RunConfig& config, std::size_t seen, std::size_t tasks,
                         bool before_merge) {
  using enum EvaluationSettings::Kind;
  const EvaluationSettings& settings = config.evaluate;
  const bool is_due =
      settings.kind == kAll || seen == tasks ||
      (settings.kind == kEvery && seen % static_cast<std::size_t>(settings.tasks) == 0);
  return is_due && (config.evaluate_before_merge || !before_merge) ? 0 : seen - 1;
}

std::vector<EvaluationRow> evaluate(Session& session, const AdaptedWeights& weights,
                                    std::span<const Task> tasks,
                                    std::span<const ClassScores> classifiers, std::size_t first) {
  load_weights(session, weights);
  const c10::NoGradGuard no_grad;
  const Watchdog::Phase phase(session.watchdog, "evaluation", 10);
  if (session.inputs.pack.has_completions()) return {evaluate_completions(session, tasks, first)};
  const std::int64_t size = session.config.evaluation_batch;
  const ClassesSeen seen = classes_seen(tasks, session.config.scenario);
  const Samples samples = find_samples(tasks, first);
  std::vector<Outcomes> outcomes;
  for (std::size_t k = 0; k < classifiers.size(); ++k)
    outcomes.emplace_back(samples, size, session.device());
  RecordedPass pass(session.placement.make_graph, [&](const Batch& batch) {
    return all_scores(session.model->features(batch), classifiers);
  });
  ChunkLoop loop(session, session.group.size());
  std::int64_t before = 0;  // samples of the tasks before
  for (std::size_t j = first; j < tasks.size(); ++j) {
    const std::int64_t first_class = seen.first(j), classes = seen.by_task[j];
    loop.over(tasks[j].test, size, [&](const Chunk& chunk, std::int64_t, const Batch& batch) {
      const at::Tensor scores = pass(batch);
      for (std::size_t k = 0; k < classifiers.size(); ++k)
        outcomes[k].add(scores.narrow(1, static_cast<std::int64_t>(k) * seen.count(), seen.count()),
                        batch.targets, first_class, classes, before + chunk.first, chunk.number);
    });
    before += tasks[j].test.size();
  }
  std::vector<EvaluationRow> rows;
  for (const Outcomes& of_classifier : outcomes)
    rows.push_back(of_classifier.row(session.group, samples));
  return rows;
}

std::vector<std::vector<float>> compute_scores(Session& session, const AdaptedWeights& weights,
                                               const LabelledSamples& samples,
                                               std::span<const ClassScores> classifiers) {
  load_weights(session, weights);
  const c10::NoGradGuard no_grad;
  const Watchdog::Phase phase(session.watchdog, "prediction", 10);
  RecordedPass pass(session.placement.make_graph, [&](const Batch& batch) {
    return all_scores(session.model->features(batch), classifiers);
  });
  std::vector<at::Tensor> own;
  ChunkLoop(session, session.group.size())
      .over(samples, session.config.evaluation_batch,
            [&](const Chunk&, std::int64_t, const Batch& batch) {
              own.push_back(pass(batch).clone());
            });
  const at::Tensor found = own.empty() ? at::empty({0}) : at::cat(own).to(at::kCPU).contiguous();
  const std::vector<std::vector<float>> parts = session.group.gather(
      std::span(found.const_data_ptr<float>(), static_cast<std::size_t>(found.numel())),
      "gathering predictions");
  std::vector<std::vector<float>> scores(classifiers.size());
  std::vector<std::size_t> read(parts.size());
  const auto all = chunks(samples.size(), session.config.evaluation_batch);
  const auto columns = static_cast<std::size_t>(found.dim() == 2 ? found.size(1) : 0);
  const std::size_t classes = columns / classifiers.size();
  for (std::size_t i = 0; !parts.empty() && i < all.size(); ++i) {
    const std::size_t rank = i % parts.size();
    for (std::size_t row = 0; row < all[i].size(); ++row) {
      auto begin = parts[rank].begin() + static_cast<std::ptrdiff_t>(read[rank]);
      for (std::vector<float>& of_classifier : scores) {
        of_classifier.insert(of_classifier.end(), begin,
                             begin + static_cast<std::ptrdiff_t>(classes));
        begin += static_cast<std::ptrdiff_t>(classes);
      }
      read[rank] += columns;
    }
  }
  return scores;
}

}  // namespace palimpsest
