#include "palimpsest/metrics/accuracy_matrix.h"

#include <algorithm>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

double ratio(std::int64_t correct, std::int64_t samples) {
  return samples == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(samples);
}

std::int64_t total(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

// (1/T) sum_t R[t][t].
double mean_of_newest(const std::vector<EvaluationRow>& rows) {
  double sum = 0;
  for (std::size_t t = 0; t < rows.size(); ++t) sum += rows[t].accuracy(t);
  return rows.empty() ? 0 : sum / static_cast<double>(rows.size());
}

// Row t's test sets are those of row t - 1, and one more.
void check_sizes(const EvaluationRow& row, const EvaluationRow& previous) {
  for (std::size_t j = 0; j < previous.samples.size(); ++j) {
    if (previous.samples[j] != row.samples[j]) {
      throw Error(concat("accuracy matrix: task ", j + 1, " had ", previous.samples[j],
                         " test samples, now ", row.samples[j]));
    }
  }
}

}  // namespace

void EvaluationRow::check(std::size_t tasks) const {
  constexpr std::int64_t kMostSamples = 1'000'000'000'000;  // so that sums over tasks are exact
  if (samples.size() != tasks || correct.size() != tasks || correct_given_task.size() != tasks) {
    throw Error(concat("accuracy matrix: row ", tasks, " has ", samples.size(), ", ",
                       correct.size(), " and ", correct_given_task.size(), " tasks; expected ",
                       tasks));
  }
  for (std::size_t j = 0; j < tasks; ++j) {
    const std::int64_t n = samples[j];
    if (n <= 0 || n > kMostSamples || std::min(correct[j], correct_given_task[j]) < 0 ||
        std::max(correct[j], correct_given_task[j]) > n) {
      throw Error(concat("accuracy matrix: task ", j + 1, " has ", correct[j], " and ",
                         correct_given_task[j], " correct of ", n, " samples"));
    }
  }
}

double EvaluationRow::accuracy(std::size_t task) const {
  return ratio(correct.at(task), samples.at(task));
}
double EvaluationRow::accuracy_given_task(std::size_t task) const {
  return ratio(correct_given_task.at(task), samples.at(task));
}
double EvaluationRow::sample_weighted() const { return ratio(total(correct), total(samples)); }
double EvaluationRow::sample_weighted_given_task() const {
  return ratio(total(correct_given_task), total(samples));
}

double EvaluationRow::task_mean() const {
  double sum = 0;
  for (std::size_t j = 0; j < samples.size(); ++j) sum += accuracy(j);
  return samples.empty() ? 0 : sum / static_cast<double>(samples.size());
}

void AccuracyMatrix::add_row(EvaluationRow after_merge, EvaluationRow before_merge) {
  const std::size_t tasks = after_.size() + 1;
  after_merge.check(tasks);
  before_merge.check(tasks);
  if (!after_.empty()) check_sizes(after_merge, after_.back());
  check_sizes(before_merge, after_merge);
  after_.push_back(std::move(after_merge));
  before_.push_back(std::move(before_merge));
}

double AccuracyMatrix::last() const { return after_.empty() ? 0 : after_.back().sample_weighted(); }
double AccuracyMatrix::last_given_task() const {
  return after_.empty() ? 0 : after_.back().sample_weighted_given_task();
}

double AccuracyMatrix::average_anytime() const {
  double sum = 0;
  for (const EvaluationRow& row : after_) sum += row.sample_weighted();
  return after_.empty() ? 0 : sum / static_cast<double>(after_.size());
}

std::optional<double> AccuracyMatrix::forgetting() const {
  if (tasks() < 2) return std::nullopt;
  double sum = 0;
  for (std::size_t j = 0; j + 1 < tasks(); ++j) {
    double peak = 0;
    for (std::size_t l = j; l + 1 < tasks(); ++l) peak = std::max(peak, after_[l].accuracy(j));
    sum += peak - after_.back().accuracy(j);
  }
  return sum / static_cast<double>(tasks() - 1);
}

std::optional<double> AccuracyMatrix::forgetting_from_peak_before_merge() const {
  if (tasks() < 2) return std::nullopt;
  double sum = 0;
  for (std::size_t j = 0; j + 1 < tasks(); ++j) {
    double peak = 0;
    for (std::size_t l = j; l + 1 < tasks(); ++l) {
      peak = std::max({peak, after_[l].accuracy(j), before_[l].accuracy(j)});
    }
    sum += peak - after_.back().accuracy(j);
  }
  return sum / static_cast<double>(tasks() - 1);
}

std::optional<double> AccuracyMatrix::backward_transfer() const {
  if (tasks() < 2) return std::nullopt;
  double sum = 0;
  for (std::size_t j = 0; j + 1 < tasks(); ++j)
    sum += after_.back().accuracy(j) - after_[j].accuracy(j);
  return sum / static_cast<double>(tasks() - 1);
}

double AccuracyMatrix::plasticity() const { return mean_of_newest(after_); }
double AccuracyMatrix::plasticity_before_merge() const { return mean_of_newest(before_); }

}  // namespace palimpsest
