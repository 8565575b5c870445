#include <algorithm>

#include "chart.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "sections.h"

namespace palimpsest {
namespace {

Html alphas(const std::vector<TaskSummary>& tasks) {
  Series alpha{.name = "α"}, unclamped{.name = "before the clamp", .style = 1},
      equal{.name = "1/t", .style = 3};
  Rows rows;
  bool several = false, clamped = false;
  for (const TaskSummary& task : tasks) {
    const MergeRecord& merge = task.record.merge;
    const std::optional<double> mean = merge.alpha();
    if (!mean) continue;
    const double x = static_cast<double>(task.record.index + 1);
    const auto [least, most] = std::ranges::minmax_element(merge.coefficients);
    several = several || merge.coefficients.size() > 1;
    alpha.points.push_back({x, *mean});
    alpha.band.emplace_back(*least, *most);
    equal.points.push_back({x, 1 / x});
    if (merge.alpha_unclamped) unclamped.points.push_back({x, *merge.alpha_unclamped});
    clamped = clamped || merge.alpha_unclamped.value_or(*mean) != *mean;
    const auto or_dash = [](const std::optional<double>& value) {
      return value ? scientific(*value, 3) : "-";
    };
    rows.push_back(
        {std::to_string(task.record.index + 1), fixed(*mean, 4),
         merge.coefficients.size() > 1 ? concat(fixed(*least, 3), " to ", fixed(*most, 3)) : "-",
         merge.alpha_unclamped ? fixed(*merge.alpha_unclamped, 4) : "-", or_dash(merge.numerator),
         or_dash(merge.denominator),
         task.record.fisher ? scientific(task.record.fisher->factor, 2) : "-", merge.remark});
  }
  if (rows.empty()) return {};
  if (!several) alpha.band.clear();
  std::vector<Series> series = {alpha};
  if (clamped) series.push_back(unclamped);
  series.push_back(equal);
  return figure(
      several ? "α of each merge: mean of several, and their range" : "α of each merge",
      line_chart(
          {.title = "Merge coefficient alpha of each task, beside one over the task's number",
           .x = "task",
           .y = "α",
           .whole_x = true,
           .y_least = 0,
           .y_most = 1},
          series),
      html_table({"task", "α", "range", "before the clamp", "numerator", "denominator",
                  "Fisher times", "remark"},
                 rows, "rrrrrrrl"));
}

// What the quadratic model said of a merge, and what it did.
Html error_budget(const std::vector<TaskSummary>& tasks) {
  Bars predicted{.name = "predicted", .values = {}}, measured{.name = "measured", .values = {}};
  std::vector<std::string> numbers;
  Rows rows;
  for (const TaskSummary& task : tasks) {
    const TaskMetrics& metrics = task.record.metrics;
    numbers.push_back(std::to_string(task.record.index + 1));
    predicted.values.push_back(metrics.rise_predicted);
    measured.values.push_back(metrics.rise_measured);
    const auto or_dash = [](const std::optional<double>& value) {
      return value ? short_number(*value) : "-";
    };
    const bool both =
        metrics.rise_predicted && metrics.rise_measured && *metrics.rise_predicted != 0;
    rows.push_back({numbers.back(), or_dash(metrics.rise_predicted), or_dash(metrics.rise_measured),
                    both ? short_number(*metrics.rise_measured / *metrics.rise_predicted) : "-"});
  }
  const auto known = [](const std::optional<double>& value) { return value.has_value(); };
  if (std::ranges::none_of(measured.values, known)) return {};
  return figure(
      "Error budget: by how much each merge raised its own task's loss",
      bar_chart({.title = "For each task: rise of its training loss by its merge, as the "
                          "Fisher predicted and as measured",
                 .x = "task",
                 .y = "rise of the loss"},
                numbers, {predicted, measured}),
      html_table({"task", "predicted", "measured", "measured / predicted"}, rows, "rrrr"));
}

}  // namespace

Html merges_section(const ReportedRun& run) {
  const Html budget = error_budget(run.tasks);
  return section(
      "merges", "What the merges did",
      side_by_side(alphas(run.tasks) + budget) +
          (budget.empty() ? paragraph("The merges' error budget was not measured in this run.")
                          : Html()));
}

}  // namespace palimpsest
