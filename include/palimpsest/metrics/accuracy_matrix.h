#pragma once
// The accuracy matrix R[t][j] (accuracy on task j's test set after task t) and the numbers the
// field reads from it. Definitions: docs/how-it-works.md, "Metrics".
#include <cstddef>
#include <optional>
#include <vector>

#include "palimpsest/core/evaluation_row.h"

namespace palimpsest {

// Throws Error unless the row is over this many tasks, the newest of them tested, and its scores
// are what scores.h knows of them.
void check_row(const EvaluationRow& row, std::size_t tasks);

// Whether the row says something of all tasks seen: of several, the newest isn't the only one that
// was tested.
bool is_over_seen(const EvaluationRow& row);

// A_t: accuracy on the samples of the tasks that were tested. nullopt unless is_over_seen().
std::optional<double> accuracy_over_seen(const EvaluationRow& row);

class AccuracyMatrix {
 public:
  // Row t has t + 1 entries, the last one tested. `before_merge`: the same at theta_t*, of the same
  // tasks or fewer. Throws Error when check_row() does, a test set changed its size, but to 0, or
  // the primary score is another than before.
  void add_row(EvaluationRow after_merge, EvaluationRow before_merge);

  std::size_t tasks() const { return after_.size(); }
  const EvaluationRow& row(std::size_t task) const { return after_.at(task); }
  const EvaluationRow& row_before_merge(std::size_t task) const { return before_.at(task); }

  // Sample-weighted accuracy after the last task ("Last", "Acc", FAA); nullopt where A_T doesn't
  // exist.
  std::optional<double> last() const;
  // Average anytime accuracy: mean over t of the sample-weighted A_t; nullopt unless all exist.
  std::optional<double> average_anytime() const;
  // The same before the merges; and with every task of an A_t counting alike.
  std::optional<double> average_anytime_before_merge() const;
  std::optional<double> average_anytime_task_mean() const;
  // Chaudhry: mean over j<T of max_{j<=l<T} R[l][j] - R[T][j], where tested. Undefined (nullopt)
  // where no earlier task was tested after the last one, as for a single task.
  std::optional<double> forgetting() const;
  // The same, with the peak also over the last row: never negative.
  std::optional<double> forgetting_with_last() const;
  // As forgetting(), with the peak also over the accuracies before the merge: a merge that never
  // learned isn't rewarded.
  std::optional<double> forgetting_from_peak_before_merge() const;
  // Mean over j<T of R[T][j] - R[j][j]; undefined likewise.
  std::optional<double> backward_transfer() const;
  // (1/T) sum_t R[t][t], before and after the merge.
  double plasticity_before_merge() const;
  double plasticity() const;

 private:
  std::vector<EvaluationRow> after_;
  std::vector<EvaluationRow> before_;
};

// Whether a row after a merge lacks a task.
bool has_untested(const AccuracyMatrix& accuracy);

// The row or matrix whose only score is what was correct given the task, so that every number read
// from it is one given the task. Throws Error where a row has no such score.
EvaluationRow given_task(const EvaluationRow& row);
AccuracyMatrix given_task(const AccuracyMatrix& accuracy);

}  // namespace palimpsest
