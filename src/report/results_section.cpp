#include <algorithm>
#include <cmath>

#include "chart.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/metrics/scores.h"
#include "sections.h"

namespace palimpsest {
namespace {

Html headline(const AccuracyMatrix& accuracy) {
  Html numbers;
  Rows rows;
  for (const Measure& measure : measures()) {
    const std::optional<double> value = measure_value(measure, accuracy);
    rows.push_back({measure.name, measure_text(measure, value), measure.meaning});
    const std::string_view key = measure.key;
    if (key == "last" || key == "average_anytime" || key == "forgetting" || key == "plasticity") {
      numbers += element("div", {},
                         element("b", {}, escaped(measure_text(measure, value))) +
                             element("span", {}, escaped(measure.name)));
    }
  }
  return element("div", {{"class", "numbers"}}, numbers) +
         details("All numbers, and what they mean",
                 html_table({"number", "value", "meaning"}, rows, "lrl"));
}

Html matrices(const AccuracyMatrix& accuracy) {
  HeatMap before{
      .title = "Accuracy in percent on each task's test samples before the merge of each task",
      .row_label = "after",
      .column_label = "on task",
      .columns = task_numbers(accuracy.tasks()),
      .rows = task_numbers(accuracy.tasks()),
      .cells = {},
      .least = 1,
      .most = 0};
  HeatMap after = before;
  after.title = "Accuracy in percent on each task's test samples after the merge of each task";
  const auto take = [](HeatMap& map, const EvaluationRow& row) {
    map.cells.emplace_back();
    for (std::size_t j = 0; j < row.samples.size(); ++j)
      map.cells.back().push_back(accuracy_on(row, j));
  };
  for (std::size_t t = 0; t < accuracy.tasks(); ++t) {
    take(before, accuracy.row_before_merge(t));
    take(after, accuracy.row(t));
  }
  double least = 1, most = 0;
  for (const HeatMap* map : {&before, &after}) {
    for (const auto& row : map->cells) {
      for (const auto& cell : row) {
        least = std::min(least, cell.value_or(least));
        most = std::max(most, cell.value_or(most));
      }
    }
  }
  before.least = after.least = least;
  before.most = after.most = most;
  return element("p", {{"class", "quiet"}},
                 escaped(concat("Accuracy in % on each task's test samples; strongest colour ",
                                percent(most), ", faintest ", percent(least), "."))) +
         side_by_side(figure("After each task's merge", heat_map(after)) +
                      figure("Before it, at the weights that training left", heat_map(before)));
}

Html accuracy_over_tasks(const AccuracyMatrix& accuracy) {
  std::vector<Series> series = {{.name = "all tasks so far"},
                                {.name = "newest task", .style = 1},
                                {.name = "newest task, before its merge", .style = 2}};
  std::vector<std::string> heading = {"after task", series[0].name, series[1].name,
                                      "before its merge"};
  const bool has_given = accuracy.row(0).find(kCorrectGivenTask) != nullptr;
  if (has_given) {
    series.push_back({.name = "all so far, given the task", .style = 3});
    heading.emplace_back("given the task");
  }
  Rows rows;
  for (std::size_t t = 0; t < accuracy.tasks(); ++t) {
    const EvaluationRow& row = accuracy.row(t);
    const double x = static_cast<double>(t + 1);
    std::vector<double> values = {row.sample_weighted(), row.accuracy(t),
                                  accuracy.row_before_merge(t).accuracy(t)};
    if (has_given) values.push_back(mean(row.score(kCorrectGivenTask)));
    rows.push_back({std::to_string(t + 1)});
    for (std::size_t i = 0; i < values.size(); ++i) {
      series[i].points.push_back({x, values[i]});
      rows.back().push_back(percent(values[i]));
    }
  }
  const std::string alignment(heading.size(), 'r');
  return figure(
      "Accuracy after each task",
      line_chart(
          {.title = "Accuracy in percent after each task: on all tasks so far, on the newest "
                    "one after and before its merge, and with the task given",
           .x = "after task",
           .y = "%",
           .whole_x = true,
           .y_text = percent},
          series),
      html_table(heading, rows, alignment));
}

Html forgetting_over_tasks(const AccuracyMatrix& accuracy) {
  Series plain{.name = "forgetting"}, from_before{.name = "from before the merge", .style = 1};
  Rows rows;
  AccuracyMatrix so_far;
  for (std::size_t t = 0; t < accuracy.tasks(); ++t) {
    so_far.add_row(accuracy.row(t), accuracy.row_before_merge(t));
    const auto forgetting = so_far.forgetting();
    if (!forgetting) continue;
    const double peak = *so_far.forgetting_from_peak_before_merge();
    const double x = static_cast<double>(t + 1);
    plain.points.push_back({x, *forgetting});
    from_before.points.push_back({x, peak});
    rows.push_back({std::to_string(t + 1), percent(*forgetting), percent(peak),
                    percent(*so_far.backward_transfer())});
  }
  if (rows.empty()) return {};
  return figure(
      "Forgetting after each task",
      line_chart({.title = "Forgetting in points after each task, from the best accuracy "
                           "after and before merges",
                  .x = "after task",
                  .y = "points",
                  .whole_x = true,
                  .y_least = 0,
                  .y_text = percent},
                 {plain, from_before}),
      html_table({"after task", "forgetting", "from before the merge", "backward transfer"}, rows,
                 "rrrr"));
}

// What the run's classifiers reach, side by side; nothing where there is one alone.
Html classifier_table(const ReportedRun& run) {
  if (run.others.empty()) return {};
  std::vector<std::string> heading = {"classifier"};
  Rows rows = {{run.tasks.back().record.metrics.classifier}};
  std::vector<AccuracyMatrix> others;
  for (const OtherAccuracy& other : run.others) {
    rows.push_back({other.classifier});
    others.push_back(is_task_given(run.config) ? given_task(other.accuracy) : other.accuracy);
  }
  for (const Measure& measure : measures()) {
    if (measure.is_of_a_score) continue;
    heading.push_back(measure.name);
    rows[0].push_back(measure_text(measure, measure_value(measure, run.accuracy)));
    for (std::size_t i = 0; i < others.size(); ++i)
      rows[i + 1].push_back(measure_text(measure, measure_value(measure, others[i])));
  }
  return paragraph("By each of the run's classifiers; all else here is by the first.") +
         html_table(heading, rows, "l" + std::string(heading.size() - 1, 'r'));
}

}  // namespace

std::vector<std::string> task_numbers(std::size_t tasks) {
  std::vector<std::string> numbers;
  for (std::size_t t = 0; t < tasks; ++t) numbers.push_back(std::to_string(t + 1));
  return numbers;
}

Html results_section(const ReportedRun& run) {
  Rows rows;
  for (const TaskSummary& task : run.tasks) {
    const TaskRecord& record = task.record;
    rows.push_back({std::to_string(record.index + 1), record.name, grouped(record.train_samples),
                    grouped(record.metrics.after_merge.samples.back()), join(record.classes)});
  }
  const Html given = is_task_given(run.config)
                         ? paragraph("Accuracies are with the task given: among its classes only.")
                         : Html();
  return section(
      "results", "What was reached",
      given + headline(run.accuracy) + classifier_table(run) + matrices(run.accuracy) +
          side_by_side(accuracy_over_tasks(run.accuracy) + forgetting_over_tasks(run.accuracy)) +
          details(
              "The tasks and their classes",
              html_table({"task", "name", "trained on", "tested on", "classes"}, rows, "rlrrl")));
}

}  // namespace palimpsest
