#include "palimpsest/metrics/stream_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "tested.h"

namespace palimpsest {
namespace {

// Over the tasks first .. first + count - 1.
RowMetrics metrics_over(const EvaluationRow& row, std::size_t first, std::size_t count) {
  const auto share = [&](const auto& counts) {
    const auto sum = [&](const auto& values) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
      return static_cast<double>(
          std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(count),
                          typename std::decay_t<decltype(values)>::value_type{}));
    };
    const double samples = sum(row.samples);
    return samples == 0 ? 0 : sum(counts) / samples;
  };
  RowMetrics metrics{.accuracy = share(row.correct),
                     .task_mean = 0,
                     .given_task = share(row.correct_given_task),
                     .task_identity = {},
                     .top5 = {},
                     .loss_given_task = {}};
  if (!row.is_detailed()) return metrics;
  metrics.task_identity = share(row.correct_task);
  metrics.top5 = share(row.correct_top5);
  metrics.loss_given_task = share(row.loss_given_task);
  return metrics;
}

}  // namespace

RowMetrics row_metrics(const EvaluationRow& row) {
  RowMetrics metrics = metrics_over(row, 0, row.samples.size());
  metrics.task_mean = row.task_mean();
  return metrics;
}

RowMetrics task_metrics(const EvaluationRow& row, std::size_t task) {
  RowMetrics metrics = metrics_over(row, task, 1);
  metrics.task_mean = metrics.accuracy;
  return metrics;
}

double average_anytime_task_mean(const AccuracyMatrix& accuracy) {
  double sum = 0;
  for (std::size_t t = 0; t < accuracy.tasks(); ++t) sum += accuracy.row(t).task_mean();
  return accuracy.tasks() == 0 ? 0 : sum / static_cast<double>(accuracy.tasks());
}

std::optional<double> forgetting_with_last(const AccuracyMatrix& accuracy) {
  const std::size_t tasks = accuracy.tasks();
  if (tasks < 2) return std::nullopt;
  const auto row_of = [&](std::size_t l) -> const EvaluationRow& { return accuracy.row(l); };
  const EvaluationRow& last = row_of(tasks - 1);
  return mean_over_tested(last, tasks - 1,
                          [&](std::size_t j) { return peak(row_of, j, tasks) - last.accuracy(j); });
}

double intransigence(const AccuracyMatrix& accuracy, std::span<const double> best) {
  if (best.size() != accuracy.tasks() || best.empty()) {
    throw Error(concat("intransigence: expected the best accuracy of each of ", accuracy.tasks(),
                       " tasks, found ", best.size()));
  }
  double sum = 0;
  for (std::size_t t = 0; t < best.size(); ++t) sum += best[t] - accuracy.row(t).accuracy(t);
  return sum / static_cast<double>(best.size());
}

std::vector<NamedMetric> stream_metrics(const AccuracyMatrix& accuracy) {
  if (accuracy.tasks() == 0) throw Error("metrics of a stream without a finished task");
  const std::size_t newest = accuracy.tasks() - 1;
  const RowMetrics after = row_metrics(accuracy.row(newest));
  const RowMetrics before = row_metrics(accuracy.row_before_merge(newest));
  double anytime_before = 0;
  for (std::size_t t = 0; t <= newest; ++t)
    anytime_before += accuracy.row_before_merge(t).sample_weighted();
  return {{"last", after.accuracy},
          {"last_before_merge", before.accuracy},
          {"last_task_mean", after.task_mean},
          {"last_task_mean_before_merge", before.task_mean},
          {"average_anytime", accuracy.average_anytime()},
          {"average_anytime_before_merge", anytime_before / static_cast<double>(newest + 1)},
          {"average_anytime_task_mean", average_anytime_task_mean(accuracy)},
          {"forgetting", accuracy.forgetting()},
          {"forgetting_with_last", forgetting_with_last(accuracy)},
          {"forgetting_from_peak_before_merge", accuracy.forgetting_from_peak_before_merge()},
          {"backward_transfer", accuracy.backward_transfer()},
          {"forward_transfer", std::nullopt},
          {"plasticity", accuracy.plasticity()},
          {"plasticity_before_merge", accuracy.plasticity_before_merge()},
          {"last_given_task", after.given_task},
          {"last_given_task_before_merge", before.given_task},
          {"last_task_identity", after.task_identity},
          {"last_task_identity_before_merge", before.task_identity},
          {"last_top5", after.top5},
          {"last_top5_before_merge", before.top5},
          {"last_loss_given_task", after.loss_given_task},
          {"last_loss_given_task_before_merge", before.loss_given_task}};
}

Spread spread(std::span<const double> values) {
  if (values.empty()) throw Error("the mean over no runs");
  const auto count = static_cast<double>(values.size());
  Spread result{.mean = std::accumulate(values.begin(), values.end(), 0.0) / count,
                .deviation = std::nullopt};
  if (values.size() < 2) return result;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / (count - 1));
  return result;
}

}  // namespace palimpsest
