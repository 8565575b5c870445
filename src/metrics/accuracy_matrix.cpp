#include "palimpsest/metrics/accuracy_matrix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "tested.h"

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

[[noreturn]] void refuse_size(std::size_t task, std::int64_t was, std::int64_t is) {
  throw Error(concat("accuracy matrix: task ", task + 1, " had ", was, " test samples, now ", is));
}

// A task's test set is the one that it had when it was the newest, or isn't at hand any more.
void check_sizes(const EvaluationRow& row, const std::vector<EvaluationRow>& earlier) {
  for (std::size_t j = 0; j < earlier.size(); ++j) {
    const std::int64_t was = earlier[j].samples[j], is = row.samples[j];
    if (is != 0 && is != was) refuse_size(j, was, is);
  }
}

// The best accuracy on a task over the rows of the tasks from itself to the last but one.
double earlier_peak(const std::vector<EvaluationRow>& rows, std::size_t task) {
  return peak([&](std::size_t l) -> const EvaluationRow& { return rows[l]; }, task,
              rows.size() - 1);
}

// The counts since 1.2 of the format.
void check_details(const EvaluationRow& row) {
  const std::size_t tasks = row.samples.size();
  if (row.correct_top5.size() != tasks || row.correct_task.size() != tasks ||
      row.loss_given_task.size() != tasks || row.class_samples.size() != row.class_correct.size()) {
    throw Error(concat("accuracy matrix: row ", tasks, " has top five of ", row.correct_top5.size(),
                       ", task identity of ", row.correct_task.size(), " and losses of ",
                       row.loss_given_task.size(), " tasks, samples of ", row.class_samples.size(),
                       " and correct of ", row.class_correct.size(),
                       " classes; expected all of them for ", tasks, " tasks"));
  }
  for (std::size_t j = 0; j < tasks; ++j) {
    const std::int64_t least = std::min(row.correct_top5[j], row.correct_task[j]);
    const std::int64_t most = std::max(row.correct_top5[j], row.correct_task[j]);
    if (least < row.correct[j] || most > row.samples[j] || !(row.loss_given_task[j] >= 0) ||
        !std::isfinite(row.loss_given_task[j])) {
      throw Error(concat("accuracy matrix: task ", j + 1, " has ", row.correct_top5[j],
                         " among the top five, ", row.correct_task[j], " of its task, ",
                         row.correct[j], " correct, of ", row.samples[j],
                         " samples, and a loss of ", row.loss_given_task[j]));
    }
  }
  for (std::size_t c = 0; c < row.class_samples.size(); ++c) {
    if (row.class_correct[c] >= 0 && row.class_correct[c] <= row.class_samples[c]) continue;
    throw Error(concat("accuracy matrix: class ", c + 1, " has ", row.class_correct[c],
                       " correct of ", row.class_samples[c], " samples"));
  }
  if (total(row.class_samples) != total(row.samples) ||
      total(row.class_correct) != total(row.correct)) {
    throw Error(concat("accuracy matrix: the classes have ", total(row.class_correct),
                       " correct of ", total(row.class_samples), " samples, the tasks ",
                       total(row.correct), " of ", total(row.samples)));
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
    const std::int64_t least = j + 1 == tasks ? 1 : 0;  // the newest is always tested
    if (n < least || n > kMostSamples || std::min(correct[j], correct_given_task[j]) < 0 ||
        std::max(correct[j], correct_given_task[j]) > n) {
      throw Error(concat("accuracy matrix: task ", j + 1, " has ", correct[j], " and ",
                         correct_given_task[j], " correct of ", n, " samples"));
    }
  }
  const bool is_old = correct_top5.empty() && correct_task.empty() && loss_given_task.empty() &&
                      class_samples.empty() && class_correct.empty();
  if (!is_old) check_details(*this);
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
  const auto own = [&](std::size_t j) { return accuracy(j); };
  return mean_over_tested(*this, samples.size(), own).value_or(0);
}

void AccuracyMatrix::add_row(EvaluationRow after_merge, EvaluationRow before_merge) {
  const std::size_t tasks = after_.size() + 1;
  after_merge.check(tasks);
  before_merge.check(tasks);
  check_sizes(after_merge, after_);
  for (std::size_t j = 0; j < tasks; ++j) {
    const std::int64_t after = after_merge.samples[j], before = before_merge.samples[j];
    if (after != before) refuse_size(j, after, before);
  }
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
  return mean_over_tested(after_.back(), tasks() - 1, [&](std::size_t j) {
    return earlier_peak(after_, j) - after_.back().accuracy(j);
  });
}

std::optional<double> AccuracyMatrix::forgetting_from_peak_before_merge() const {
  if (tasks() < 2) return std::nullopt;
  return mean_over_tested(after_.back(), tasks() - 1, [&](std::size_t j) {
    return std::max(earlier_peak(after_, j), earlier_peak(before_, j)) - after_.back().accuracy(j);
  });
}

std::optional<double> AccuracyMatrix::backward_transfer() const {
  if (tasks() < 2) return std::nullopt;
  return mean_over_tested(after_.back(), tasks() - 1, [&](std::size_t j) {
    return after_.back().accuracy(j) - after_[j].accuracy(j);
  });
}

double AccuracyMatrix::plasticity() const { return mean_of_newest(after_); }
double AccuracyMatrix::plasticity_before_merge() const { return mean_of_newest(before_); }

}  // namespace palimpsest
