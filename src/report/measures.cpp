#include "measures.h"

#include <vector>

#include "palimpsest/metrics/stream_metrics.h"

namespace palimpsest {

std::span<const Measure> measures() {
  static const std::vector<Measure> measures = {
      {"last", "last accuracy", "after the last task, on all tasks' samples", false},
      {"last_task_mean", "last accuracy, mean over tasks", "the same, every task counting alike",
       false},
      {"average_anytime", "average anytime accuracy", "mean of the accuracies on all tasks so far",
       false},
      {"forgetting", "forgetting", "best accuracy on a task, minus the last", true},
      {"forgetting_from_peak_before_merge", "forgetting, from before the merge",
       "the same, counting what was reached before a merge", true},
      {"backward_transfer", "backward transfer", "last accuracy on a task, minus its first", true},
      {"plasticity_before_merge", "plasticity before the merge",
       "accuracy on the newest task, mean over tasks", false},
      {"plasticity", "plasticity after the merge", "the same, of the model that stays", false}};
  return measures;
}

std::optional<double> measure_value(const Measure& measure, const AccuracyMatrix& accuracy) {
  if (accuracy.tasks() == 0) return std::nullopt;
  for (const NamedMetric& metric : stream_metrics(accuracy))
    if (metric.name == measure.key) return metric.value;
  return std::nullopt;
}

}  // namespace palimpsest
