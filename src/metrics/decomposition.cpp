#include "palimpsest/metrics/decomposition.h"

#include <map>
#include <string_view>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/scores.h"
#include "tested.h"

namespace palimpsest {
namespace {

struct ClassCount {
  std::int64_t samples = 0, correct = 0;
};

// A class of several tasks is counted once, over all of them.
std::map<std::string_view, ClassCount> counts_by_name(const TaskClasses& classes,
                                                      const EvaluationRow& row) {
  std::map<std::string_view, ClassCount> counts;
  std::size_t place = 0;
  for (const auto& names : classes) {
    for (const std::string& name : names) {
      if (place == row.class_samples.size()) {
        throw InputError(
            "the bound's record has no counts by class: it was made by a version before 1.2 of the "
            "format, or they are damaged; run it again");
      }
      ClassCount& count = counts[name];
      count.samples += row.class_samples[place];
      count.correct += row.class_correct[place++];
    }
  }
  return counts;
}

void check_count(std::span<const double> bound, std::size_t tasks, std::string_view which) {
  if (bound.empty() || bound.size() == tasks) return;
  throw Error(concat("decomposition: expected the accuracy of ", tasks, " tasks in the ", which,
                     " run, found ", bound.size()));
}

}  // namespace

std::vector<double> accuracy_by_class(const TaskClasses& tasks, const TaskClasses& of_run,
                                      const EvaluationRow& row) {
  std::vector<double> accuracies;
  if (of_run == tasks) {
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      if (!is_tested(row, t)) {
        throw InputError(concat("expected a run that was tested on task ", t + 1,
                                " too, found none of its samples there: a bound that continues "
                                "another run needs the test samples of all tasks"));
      }
      accuracies.push_back(row.accuracy(t));
    }
    return accuracies;
  }
  const auto counts = counts_by_name(of_run, row);
  for (const auto& names : tasks) {
    ClassCount sum;
    for (const std::string& name : names) {
      const auto found = counts.find(name);
      if (found == counts.end() || found->second.samples == 0) {
        throw InputError(concat("expected a run that was tested on class '", name,
                                "' too, found none of its samples there: a bound needs the same "
                                "classes (--tasks, --protocol)"));
      }
      sum.samples += found->second.samples;
      sum.correct += found->second.correct;
    }
    accuracies.push_back(static_cast<double>(sum.correct) / static_cast<double>(sum.samples));
  }
  return accuracies;
}

std::vector<TaskDecomposition> decompose(const AccuracyMatrix& accuracy,
                                         std::span<const double> frozen,
                                         std::span<const double> joint) {
  check_count(frozen, accuracy.tasks(), "frozen");
  check_count(joint, accuracy.tasks(), "joint");
  std::vector<TaskDecomposition> tasks(accuracy.tasks());
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    TaskDecomposition& task = tasks[t];
    const EvaluationRow& last = accuracy.row(accuracy.tasks() - 1);
    if (is_tested(last, t)) {
      task.accuracy = last.accuracy(t);
      if (const Score* given = last.find(kCorrectGivenTask)) {
        task.given_task = mean(*given, t);
        task.task_confusion = *task.given_task - *task.accuracy;
      }
    }
    task.plasticity_before = accuracy.row_before_merge(t).accuracy(t);
    task.plasticity = accuracy.row(t).accuracy(t);
    task.merge_cost = task.plasticity_before - task.plasticity;
    if (!frozen.empty()) task.frozen = frozen[t];
    if (!joint.empty()) task.joint = joint[t];
    if (task.accuracy && task.frozen && task.joint && *task.joint > *task.frozen)
      task.placed = (*task.accuracy - *task.frozen) / (*task.joint - *task.frozen);
  }
  return tasks;
}

}  // namespace palimpsest
