#pragma once
// The accuracy matrix R[t][j] (accuracy on task j's test set after task t) and the numbers the
// field reads from it. Definitions: docs/how-it-works.md, "Metrics"; given_task.h: the task known.
#include <cstdint>
#include <optional>
#include <vector>

namespace palimpsest {

// One evaluation over the tasks seen so far. One entry per task, from 0; no samples: not tested
// (its data isn't at hand). Vectors since 1.2 of the format are empty in rows of older records.
struct EvaluationRow {
  std::vector<std::int64_t> samples;
  std::vector<std::int64_t> correct;             // argmax over the classes of all tasks seen
  std::vector<std::int64_t> correct_given_task;  // argmax over the classes of the sample's own task
  // Since 1.2:
  std::vector<std::int64_t> correct_top5 = {};  // among the five largest over all classes seen
  std::vector<std::int64_t> correct_task = {};  // the class chosen is one of the sample's own task
  std::vector<double> loss_given_task = {};     // cross-entropy over the own task's classes, summed
  // By class, task after task.
  std::vector<std::int64_t> class_samples = {}, class_correct = {};

  // Throws Error unless there are counts of this many tasks, each at most its samples, and those
  // since 1.2 are all there, or none of them.
  void check(std::size_t tasks) const;
  // Whether those since 1.2 are there.
  bool is_detailed() const { return !class_samples.empty(); }

  double accuracy(std::size_t task) const;
  double accuracy_given_task(std::size_t task) const;
  // sum_j correct / sum_j samples: A_t of docs/how-it-works.md, sample-weighted.
  double sample_weighted() const;
  double sample_weighted_given_task() const;
  // Mean of R[t][j] over the tasks that were tested.
  double task_mean() const;

  bool operator==(const EvaluationRow&) const = default;
};

class AccuracyMatrix {
 public:
  // Row t has t + 1 entries, the last one tested. `before_merge`: the same at theta_t*. Throws
  // Error when the tasks don't fit, a count exceeds its samples or a test set changed its size, but
  // to 0.
  void add_row(EvaluationRow after_merge, EvaluationRow before_merge);

  std::size_t tasks() const { return after_.size(); }
  const EvaluationRow& row(std::size_t task) const { return after_.at(task); }
  const EvaluationRow& row_before_merge(std::size_t task) const { return before_.at(task); }

  // Sample-weighted accuracy after the last task ("Last", "Acc", FAA).
  double last() const;
  // Average anytime accuracy: mean over t of the sample-weighted A_t.
  double average_anytime() const;
  // Chaudhry: mean over j<T of max_{j<=l<T} R[l][j] - R[T][j], where tested. Undefined (nullopt)
  // where no earlier task was tested after the last one, as for a single task.
  std::optional<double> forgetting() const;
  // The same, with the peak also over the accuracies before the merge: a merge that never learned
  // isn't rewarded.
  std::optional<double> forgetting_from_peak_before_merge() const;
  // Mean over j<T of R[T][j] - R[j][j]; undefined likewise.
  std::optional<double> backward_transfer() const;
  // (1/T) sum_t R[t][t], before and after the merge.
  double plasticity_before_merge() const;
  double plasticity() const;
  // Last accuracy with the task's identity given.
  double last_given_task() const;

 private:
  std::vector<EvaluationRow> after_;
  std::vector<EvaluationRow> before_;
};

}  // namespace palimpsest
