#include <algorithm>
#include <limits>

#include "chart.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/run_folder.h"
#include "sections.h"

namespace palimpsest {
namespace {

constexpr std::size_t kPoints = 240;  // of the whole curve

// Means over spans of a task's steps, with least and most; at least one span, and never over two
// tasks.
void thin(const std::vector<double>& losses, std::size_t spans, double first_step, Series& curve) {
  spans = std::clamp<std::size_t>(spans, 1, losses.size());
  for (std::size_t span = 0; span < spans; ++span) {
    const std::size_t begin = span * losses.size() / spans,
                      end = (span + 1) * losses.size() / spans;
    double sum = 0, least = std::numeric_limits<double>::infinity(), most = -least;
    for (std::size_t i = begin; i < end; ++i) {
      sum += losses[i];
      least = std::min(least, losses[i]);
      most = std::max(most, losses[i]);
    }
    const double middle = static_cast<double>(begin + end) / 2;
    curve.points.push_back({first_step + middle, sum / static_cast<double>(end - begin)});
    curve.band.emplace_back(least, most);
  }
}

Html loss_curve(const ReportedRun& run) {
  const auto [tasks, damaged] = read_losses(RunFolder(run.folder).log_file());
  const Html left_out =
      damaged == 0
          ? Html()
          : paragraph(concat(grouped(damaged), damaged == 1 ? " line" : " lines",
                             " of metrics.jsonl can't be read: what ", damaged == 1 ? "it" : "they",
                             " said is missing in the loss curve."));
  std::size_t steps = 0;
  for (const TaskLosses& task : tasks) steps += task.losses.size();
  if (steps == 0)
    return paragraph("metrics.jsonl has no steps to draw a loss curve of.") + left_out;
  Series curve{.name = "loss"};
  Axes axes{.title = "Training loss over the steps of all tasks, one after another",
            .x = "step",
            .y = "loss",
            .whole_x = true};
  Rows rows;
  double first_step = 0;
  for (const TaskLosses& task : tasks) {
    if (first_step > 0) axes.borders.push_back(first_step);
    thin(task.losses, kPoints * task.losses.size() / steps, first_step, curve);
    first_step += static_cast<double>(task.losses.size());
    const auto index = static_cast<std::size_t>(task.task);
    const bool done = index < run.tasks.size();
    const TaskMetrics metrics = done ? run.tasks[index].record.metrics : TaskMetrics();
    rows.push_back({std::to_string(task.task + 1), grouped(std::ssize(task.losses)),
                    short_number(task.losses.front()), short_number(task.losses.back()),
                    done ? short_number(metrics.loss_last_pass) : "-"});
  }
  const auto [least, most] = std::ranges::minmax(curve.points, {}, &Point::y);
  axes.logarithmic = least.y > 0 && most.y > 20 * least.y;
  const std::size_t span = (steps + kPoints - 1) / kPoints;
  return figure(concat("Training loss, under the perturbation",
                       span > 1 ? concat("; line: mean over about ", span,
                                         " steps, shade: least and most")
                                : "",
                       "; upright lines: a new task"),
                line_chart(axes, {curve}),
                html_table({"task", "steps", "first step", "last step", "mean of the last pass"},
                           rows, "rrrrr")) +
         left_out;
}

Html times(const std::vector<TaskSummary>& tasks) {
  Parts train{.name = "training", .values = {}}, fisher{.name = "Fisher", .values = {}},
      merge{.name = "merge", .values = {}}, evaluate{.name = "evaluation", .values = {}};
  std::vector<std::string> numbers;
  Rows rows;
  double sums[4] = {};
  for (const TaskSummary& task : tasks) {
    const TaskMetrics& metrics = task.record.metrics;
    numbers.push_back(std::to_string(task.record.index + 1));
    rows.push_back({numbers.back()});
    const double seconds[] = {metrics.seconds_train, metrics.seconds_fisher, metrics.seconds_merge,
                              metrics.seconds_evaluate};
    Parts* const parts[] = {&train, &fisher, &merge, &evaluate};
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      parts[i]->values.push_back(seconds[i]);
      rows.back().push_back(fixed(seconds[i], 2));
      sum += seconds[i];
      sums[i] += seconds[i];
    }
    rows.back().push_back(fixed(sum, 2));
  }
  rows.push_back({"all"});
  for (const double sum : sums) rows.back().push_back(fixed(sum, 2));
  const double total = sums[0] + sums[1] + sums[2] + sums[3];
  rows.back().push_back(fixed(total, 2));
  return element(
      "div", {{"id", "times"}},
      figure(concat("Time by phase; ", duration(total), " in all"),
             share_bars({.title = "For each task: seconds of training, of the Fisher pass, "
                                  "of the merge and of evaluation",
                         .x = "task",
                         .y = "seconds"},
                        numbers, {train, fisher, merge, evaluate}),
             html_table({"task", "training", "Fisher", "merge", "evaluation", "all"}, rows,
                        "rrrrrr")));
}

}  // namespace

Html training_section(const ReportedRun& run) {
  return section("training", "How training went", side_by_side(loss_curve(run) + times(run.tasks)));
}

}  // namespace palimpsest
