#pragma once
// Where a stream's accuracy on each of its tasks is lost: to the choice among tasks, to the merge,
// or to what training could not learn; placed between a frozen backbone and joint training.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// Of one task; shares of its test samples.
struct TaskDecomposition {
  // After the last task; nothing where it wasn't tested then, or not given the task.
  std::optional<double> accuracy;        // among all classes seen
  std::optional<double> given_task;      // among the task's own classes
  std::optional<double> task_confusion;  // given_task - accuracy
  double plasticity_before = 0;          // R[t][t] before the task's own merge
  double plasticity = 0;                 // and after it
  double merge_cost = 0;                 // plasticity_before - plasticity
  // Among the same classes, by another run's last row: heads on a frozen backbone, joint training.
  std::optional<double> frozen, joint;
  // (accuracy - frozen) / (joint - frozen): 0 at the lower bound, 1 at the upper one. Nothing
  // unless all are there and joint > frozen.
  std::optional<double> placed;
};

using TaskClasses = std::vector<std::vector<std::string>>;  // class names by task

// Accuracy on the classes of each of `tasks` in a run that may have learned them in other tasks:
// its counts by class are then looked up by name. Throws InputError when the run lacks a task or
// class, or wasn't tested on it, or its record has no counts by class.
std::vector<double> accuracy_by_class(const TaskClasses& tasks, const TaskClasses& of_run,
                                      const EvaluationRow& row);

// `frozen`, `joint`: of each task (accuracy_by_class), or empty. Throws Error when there are more
// or fewer than tasks.
std::vector<TaskDecomposition> decompose(const AccuracyMatrix& accuracy,
                                         std::span<const double> frozen = {},
                                         std::span<const double> joint = {});

}  // namespace palimpsest
