#pragma once
// Every number that the field reads from a stream's accuracy matrix, by name: for tables, JSON and
// means over seeds. Definitions: docs/how-it-works.md, "Metrics".
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// Over all tasks' samples together, but for task_mean. Nothing where an older record lacks the
// counts.
struct RowMetrics {
  double accuracy = 0, task_mean = 0, given_task = 0;
  std::optional<double> task_identity;    // share whose chosen class is one of their own task
  std::optional<double> top5;             // share whose class is among the five largest
  std::optional<double> loss_given_task;  // mean cross-entropy over the task's own classes, nats
};
RowMetrics row_metrics(const EvaluationRow& row);

// The same of one task; task_mean is its accuracy.
RowMetrics task_metrics(const EvaluationRow& row, std::size_t task);

// Mean over t of the task means of A_t.
double average_anytime_task_mean(const AccuracyMatrix& accuracy);

// 1/(T-1) sum_{j<T} (max_{j<=l<=T} R[l][j] - R[T][j]): the peak may be the last row, so that it is
// never negative. Undefined for a single task.
std::optional<double> forgetting_with_last(const AccuracyMatrix& accuracy);

// (1/T) sum_t (best[t] - R[t][t]): what the stream has not learned of what could be learned; `best`
// is each task's accuracy in a joint run, or the best known. Throws Error unless there is one per
// task.
double intransigence(const AccuracyMatrix& accuracy, std::span<const double> best);

struct NamedMetric {
  std::string_view name;
  std::optional<double> value;  // nothing where it is not defined
};

// In a fixed order, names without spaces; of at least one task. Forward transfer stands among them
// without a value: a task's head doesn't exist before the task.
std::vector<NamedMetric> stream_metrics(const AccuracyMatrix& accuracy);

// Over runs that differ in their seed.
struct Spread {
  double mean = 0;
  std::optional<double> deviation;  // of a sample: divided by n - 1; nothing for a single run
};
Spread spread(std::span<const double> values);

}  // namespace palimpsest
