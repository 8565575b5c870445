#include <algorithm>

#include "chart.h"
#include "comparison_table.h"
#include "palimpsest/core/text.h"
#include "sections.h"

namespace palimpsest {
namespace {

constexpr std::size_t kDrawn = 4;  // groups that have their own colour

Html table(const TextTable& table, const std::string& alignment) {
  return html_table(table.heading, table.rows, alignment);
}

std::string one_left(const TextTable& table) {
  return "l" + std::string(table.heading.size() - 1, 'r');
}

// A_t over tasks: mean of a group, and the range of its runs.
Html accuracy_over_tasks(const RunComparison& comparison) {
  std::vector<Series> series;
  for (std::size_t g = 0; g < std::min(kDrawn, comparison.groups.size()); ++g) {
    const RunGroup& group = comparison.groups[g];
    series.push_back({.name = group.name, .style = static_cast<int>(g)});
    for (std::size_t t = 0; t < group.runs.front().accuracies.size(); ++t) {
      std::vector<double> values;
      for (const ComparedRun& run : group.runs) values.push_back(run.accuracies.at(t));
      const auto [least, most] = std::ranges::minmax(values);
      series.back().points.push_back({static_cast<double>(t + 1), spread(values).mean});
      series.back().band.emplace_back(least, most);
    }
  }
  return figure(concat("Accuracy on all tasks so far, after each task; line: mean of the group, "
                       "shade: its range",
                       comparison.groups.size() > kDrawn ? "; the first four groups" : ""),
                line_chart({.title = "Accuracy in percent on all tasks so far after each task, by "
                                     "group of runs",
                            .x = "after task",
                            .y = "%",
                            .whole_x = true,
                            .y_text = percent},
                           series));
}

}  // namespace

std::string comparison_page(const RunComparison& comparison) {
  std::size_t runs = 0;
  Rows published;
  for (const RunGroup& group : comparison.groups) {
    runs += group.runs.size();
    published.push_back({group.name, group.published});
  }
  const TextTable measures = measures_table(comparison, 0, comparison.groups.size());
  Html body =
      element("h1", {}, escaped("Runs compared")) +
      element("p", {{"class", "quiet"}},
              escaped(concat(runs, " runs in ", comparison.groups.size(),
                             comparison.groups.size() == 1 ? " group" : " groups",
                             "; the runs of a group differ in seed and class order alone"))) +
      table(groups_table(comparison), "lrlrl") +
      section("measures", "Mean and spread",
              paragraph("In percent; ± sample deviation over the runs of a group.") +
                  table(measures, one_left(measures)) + accuracy_over_tasks(comparison));
  if (!comparison.differences.empty()) {
    const TextTable differences = differences_table(comparison, 0, comparison.differences.size());
    body += section(
        "differences", "Differences, pair by pair",
        paragraph("In points, between runs of the same seed and class order; ± sample deviation of "
                  "the differences.") +
            table(differences, one_left(differences)));
  }
  const TextTable all = runs_table(comparison);
  return page("Runs compared: Palimpsest",
              body +
                  section("published", "Beside published numbers",
                          html_table({"group", "published"}, published, "ll")) +
                  section("runs", "The runs",
                          table(all, "llrl" + std::string(all.heading.size() - 4, 'r'))))
      .str();
}

}  // namespace palimpsest
