#include "palimpsest/metrics/accuracy_matrix.h"

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/scores.h"
#include "tested.h"

namespace palimpsest {
namespace {

// (1/T) sum_t R[t][t].
double newest_mean(const std::vector<EvaluationRow>& rows) {
  double sum = 0;
  for (std::size_t t = 0; t < rows.size(); ++t) sum += rows[t].accuracy(t);
  return rows.empty() ? 0 : sum / static_cast<double>(rows.size());
}

[[noreturn]] void refuse_size(std::size_t task, std::int64_t was, std::int64_t is) {
  throw Error(concat("accuracy matrix: task ", task + 1, " had ", was, " test samples, now ", is));
}

// A task's test set is the one that it had when it was the newest, or isn't available any more.
void check_sizes(const EvaluationRow& row, const std::vector<EvaluationRow>& earlier) {
  for (std::size_t j = 0; j < earlier.size(); ++j) {
    const std::int64_t was = earlier[j].samples[j], is = row.samples[j];
    if (is != 0 && is != was) refuse_size(j, was, is);
  }
}

// The best accuracy on a task in the rows from its own to the one before `end`. An untested row has
// no accuracy: 0 is never more than what was tested.
double peak(const std::vector<EvaluationRow>& rows, std::size_t task, std::size_t end) {
  double best = 0;
  for (std::size_t l = task; l < end; ++l) best = std::max(best, rows[l].accuracy(task));
  return best;
}

}  // namespace

void AccuracyMatrix::add_row(EvaluationRow after_merge, EvaluationRow before_merge) {
  const std::size_t tasks = after_.size() + 1;
  check_row(after_merge, tasks);
  check_row(before_merge, tasks);
  check_sizes(after_merge, after_);
  const std::string& primary = (after_.empty() ? after_merge : after_.front()).scores.front().name;
  for (const EvaluationRow* row : {&after_merge, &before_merge}) {
    if (row->scores.front().name == primary) continue;
    throw Error(concat("accuracy matrix: the primary score was ", primary, ", now ",
                       row->scores.front().name));
  }
  for (std::size_t j = 0; j < tasks; ++j) {
    const std::int64_t after = after_merge.samples[j], before = before_merge.samples[j];
    if (before != 0 && before != after) refuse_size(j, after, before);
  }
  after_.push_back(std::move(after_merge));
  before_.push_back(std::move(before_merge));
}

bool is_over_seen(const EvaluationRow& row) {
  return row.samples.size() == 1 || std::ranges::any_of(row.samples.begin(), row.samples.end() - 1,
                                                        [](std::int64_t n) { return n > 0; });
}

std::optional<double> accuracy_over_seen(const EvaluationRow& row) {
  return is_over_seen(row) ? std::optional(row.sample_weighted()) : std::nullopt;
}

std::optional<double> AccuracyMatrix::last() const {
  return after_.empty() ? std::nullopt : accuracy_over_seen(after_.back());
}

std::optional<double> AccuracyMatrix::average_anytime() const {
  return mean_over_rows(after_, &EvaluationRow::sample_weighted);
}
std::optional<double> AccuracyMatrix::average_anytime_before_merge() const {
  return mean_over_rows(before_, &EvaluationRow::sample_weighted);
}
std::optional<double> AccuracyMatrix::average_anytime_task_mean() const {
  return mean_over_rows(after_, &EvaluationRow::task_mean);
}

std::optional<double> AccuracyMatrix::forgetting() const {
  if (tasks() < 2) return std::nullopt;
  return mean_over_tested(after_.back(), tasks() - 1, [&](std::size_t j) {
    return peak(after_, j, tasks() - 1) - after_.back().accuracy(j);
  });
}

std::optional<double> AccuracyMatrix::forgetting_with_last() const {
  if (tasks() < 2) return std::nullopt;
  return mean_over_tested(after_.back(), tasks() - 1, [&](std::size_t j) {
    return peak(after_, j, tasks()) - after_.back().accuracy(j);
  });
}

std::optional<double> AccuracyMatrix::forgetting_from_peak_before_merge() const {
  if (tasks() < 2) return std::nullopt;
  return mean_over_tested(after_.back(), tasks() - 1, [&](std::size_t j) {
    return std::max(peak(after_, j, tasks() - 1), peak(before_, j, tasks() - 1)) -
           after_.back().accuracy(j);
  });
}

std::optional<double> AccuracyMatrix::backward_transfer() const {
  if (tasks() < 2) return std::nullopt;
  return mean_over_tested(after_.back(), tasks() - 1, [&](std::size_t j) {
    return after_.back().accuracy(j) - after_[j].accuracy(j);
  });
}

double AccuracyMatrix::plasticity() const { return newest_mean(after_); }
double AccuracyMatrix::plasticity_before_merge() const { return newest_mean(before_); }

bool has_untested(const AccuracyMatrix& accuracy) {
  for (std::size_t t = 0; t < accuracy.tasks(); ++t)
    if (std::ranges::count(accuracy.row(t).samples, 0) > 0) return true;
  return false;
}

EvaluationRow given_task(const EvaluationRow& row) {
  return {.samples = row.samples, .scores = {row.score(kCorrectGivenTask)}};
}

AccuracyMatrix given_task(const AccuracyMatrix& accuracy) {
  AccuracyMatrix view;
  for (std::size_t t = 0; t < accuracy.tasks(); ++t) {
    view.add_row(given_task(accuracy.row(t)), given_task(accuracy.row_before_merge(t)));
  }
  return view;
}

}  // namespace palimpsest
