#include "comparison_table.h"

#include <algorithm>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "reported_run.h"

namespace palimpsest {
namespace {

std::string seeds(const RunGroup& group) { return join(group.runs, ", ", &ComparedRun::seed); }

std::size_t class_orders(const RunGroup& group) {
  std::vector<std::string> orders;
  for (const ComparedRun& run : group.runs) orders.push_back(run.class_order);
  std::ranges::sort(orders);
  return static_cast<std::size_t>(std::ranges::unique(orders).begin() - orders.begin());
}

std::string cell(const std::map<std::string, Spread>& spreads, std::string_view key,
                 bool with_sign) {
  const auto found = spreads.find(std::string(key));
  return found == spreads.end() ? "-" : spread_text(found->second, with_sign);
}

// Measures that no column has are left out.
void drop_empty(Rows& rows) {
  std::erase_if(rows, [](const std::vector<std::string>& row) {
    return std::all_of(row.begin() + 1, row.end(), [](const auto& text) { return text == "-"; });
  });
}

}  // namespace

std::string spread_text(const Spread& spread, bool with_sign) {
  const std::string mean = percent(spread.mean);
  return concat(with_sign && mean[0] != '-' && mean != "0.0" ? "+" : "", mean,
                spread.deviation ? " ± " + percent(*spread.deviation) : "");
}

TextTable groups_table(const RunComparison& comparison) {
  TextTable table{{"group", "runs", "seeds", "class orders", "differs in"}, {}};
  for (const RunGroup& group : comparison.groups) {
    table.rows.push_back({group.name, std::to_string(group.runs.size()), seeds(group),
                          std::to_string(class_orders(group)),
                          group.description.empty() ? "nothing" : group.description});
  }
  return table;
}

TextTable measures_table(const RunComparison& comparison, std::size_t first, std::size_t count) {
  const std::size_t end = std::min(first + count, comparison.groups.size());
  TextTable table{{"in %"}, {}};
  for (std::size_t g = first; g < end; ++g) table.heading.push_back(comparison.groups[g].name);
  for (const Measure& measure : measures()) {
    table.rows.push_back({measure.name});
    for (std::size_t g = first; g < end; ++g)
      table.rows.back().push_back(cell(comparison.groups[g].spreads, measure.key, false));
  }
  drop_empty(table.rows);
  return table;
}

TextTable differences_table(const RunComparison& comparison, std::size_t first, std::size_t count) {
  const std::size_t end = std::min(first + count, comparison.differences.size());
  TextTable table{{"in points"}, {}};
  for (std::size_t i = first; i < end; ++i) {
    const PairedDifference& difference = comparison.differences[i];
    table.heading.push_back(concat(comparison.groups[difference.second].name, " - ",
                                   comparison.groups[difference.first].name,
                                   " (n = ", difference.pairs, ")"));
  }
  for (const Measure& measure : measures()) {
    table.rows.push_back({measure.name});
    for (std::size_t i = first; i < end; ++i)
      table.rows.back().push_back(cell(comparison.differences[i].spreads, measure.key, true));
  }
  drop_empty(table.rows);
  return table;
}

TextTable runs_table(const RunComparison& comparison) {
  TextTable table{{"group", "run", "seed", "class order"}, {}};
  for (const Measure& measure : measures()) table.heading.emplace_back(measure.name);
  for (const RunGroup& group : comparison.groups) {
    for (const ComparedRun& run : group.runs) {
      table.rows.push_back(
          {group.name, run.folder, std::to_string(run.seed), short_hash(run.class_order)});
      for (const Measure& measure : measures()) {
        const auto value = run.values.find(std::string(measure.key));
        table.rows.back().push_back(value == run.values.end() ? "" : percent(value->second));
      }
    }
  }
  return table;
}

}  // namespace palimpsest
