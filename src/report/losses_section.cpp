#include "chart.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/scores.h"
#include "sections.h"

namespace palimpsest {
namespace {

// Right; right only when the task is known; wrong even then. They add up to all samples of a task.
Html samples_figure(const AccuracyMatrix& accuracy) {
  const EvaluationRow& last = accuracy.row(accuracy.tasks() - 1);
  const Score* const given_task = last.find(kCorrectGivenTask);
  if (given_task == nullptr) return {};
  Parts right{.name = "right", .values = {}};
  Parts confused{.name = "taken for a class of another task", .values = {}};
  Parts wrong{.name = "wrong within the task too", .values = {}};
  Rows rows;
  std::vector<std::string> tested;
  for (std::size_t j = 0; j < accuracy.tasks(); ++j) {
    if (!accuracy_on(last, j)) continue;
    const double all = last.accuracy(j), given = mean(*given_task, j);
    tested.push_back(std::to_string(j + 1));
    right.values.push_back(all);
    confused.values.push_back(given - all);
    wrong.values.push_back(1 - given);
    rows.push_back({std::to_string(j + 1), percent(all), percent(given), percent(given - all),
                    percent(1 - given)});
  }
  return figure(
      "What becomes of each task's test samples in the end",
      share_bars(
          {.title = "For each task: shares of its test samples that are classified right, taken "
                    "for a class of another task, and wrong within the task too",
           .x = "task",
           .y = "%",
           .y_text = percent},
          tested, {right, confused, wrong}),
      html_table({"task", "accuracy", "given the task", "lost to other tasks", "wrong within"},
                 rows, "rrrrr"));
}

Html where_accuracy_went(const AccuracyMatrix& accuracy) {
  const EvaluationRow& last = accuracy.row(accuracy.tasks() - 1);
  Bars merge{.name = "its own merge", .values = {}},
      later{.name = "the tasks after it", .values = {}};
  Rows rows;
  for (std::size_t j = 0; j < accuracy.tasks(); ++j) {
    const double before = accuracy.row_before_merge(j).accuracy(j);
    const double after = accuracy.row(j).accuracy(j);
    const std::optional<double> end = accuracy_on(last, j);
    merge.values.emplace_back(before - after);
    later.values.push_back(end ? std::optional(after - *end) : std::nullopt);
    rows.push_back({std::to_string(j + 1), percent(before), percent(before - after), percent(after),
                    end ? percent(after - *end) : "-", end ? percent(*end) : "-"});
  }
  return figure(
      "What each task's accuracy lost, and to what",
      bar_chart({.title = "For each task: points of accuracy that its own merge took, and "
                          "that the tasks after it took; below zero: gained",
                 .x = "task",
                 .y = "points lost",
                 .y_text = percent},
                task_numbers(accuracy.tasks()), {merge, later}),
      html_table({"task", "trained", "merge took", "merged", "later tasks took", "in the end"},
                 rows, "rrrrrr"));
}

}  // namespace

Html losses_section(const ReportedRun& run) {
  return section("losses", "Where accuracy was lost",
                 side_by_side(samples_figure(run.among_all) + where_accuracy_went(run.accuracy)));
}

}  // namespace palimpsest
