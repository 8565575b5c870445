#include "palimpsest/metrics/stream_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// The last mean of a score, after and before the newest merge.
void add_last(std::vector<NamedMetric>& metrics, const ScoreInfo& info, const EvaluationRow& after,
              const EvaluationRow& before) {
  const auto mean_in = [&](const EvaluationRow& row) {
    const Score* const score = is_over_seen(row) ? row.find(info.name) : nullptr;
    return score == nullptr ? std::nullopt : std::optional(mean(*score));
  };
  metrics.push_back({concat("last_", info.metric), mean_in(after), info.unit});
  metrics.push_back({concat("last_", info.metric, "_before_merge"), mean_in(before), info.unit});
}

std::optional<double> task_mean_over_seen(const EvaluationRow& row) {
  return is_over_seen(row) ? std::optional(row.task_mean()) : std::nullopt;
}

}  // namespace

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
  const EvaluationRow& after = accuracy.row(newest);
  const EvaluationRow& before = accuracy.row_before_merge(newest);
  std::vector<NamedMetric> metrics = {
      {"last", accuracy.last()},
      {"last_before_merge", accuracy_over_seen(before)},
      {"last_task_mean", task_mean_over_seen(after)},
      {"last_task_mean_before_merge", task_mean_over_seen(before)},
      {"average_anytime", accuracy.average_anytime()},
      {"average_anytime_before_merge", accuracy.average_anytime_before_merge()},
      {"average_anytime_task_mean", accuracy.average_anytime_task_mean()},
      {"forgetting", accuracy.forgetting()},
      {"forgetting_with_last", accuracy.forgetting_with_last()},
      {"forgetting_from_peak_before_merge", accuracy.forgetting_from_peak_before_merge()},
      {"backward_transfer", accuracy.backward_transfer()},
      {"forward_transfer", std::nullopt},
      {"plasticity", accuracy.plasticity()},
      {"plasticity_before_merge", accuracy.plasticity_before_merge()}};
  const bool has_completions = score_info(after.scores.front().name).of_completions;
  for (const ScoreInfo& info : known_scores())
    if (!info.metric.empty() && info.of_completions == has_completions)
      add_last(metrics, info, after, before);
  for (const Score& score : after.scores) {
    if (std::ranges::count(known_scores(), score.name, &ScoreInfo::name) == 0)
      add_last(metrics, score_info(score.name), after, before);
  }
  return metrics;
}

Spread spread(std::span<const double> values) {
  if (values.empty()) throw Error("the mean over no runs");
  const auto count = static_cast<double>(values.size());
  Spread result{.mean = std::accumulate(values.begin(), values.end(), 0.0) / count};
  if (values.size() < 2) return result;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / (count - 1));
  return result;
}

}  // namespace palimpsest
