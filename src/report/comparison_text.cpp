#include "comparison_table.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/report/comparison.h"
#include "reported_run.h"

namespace palimpsest {
namespace {

constexpr std::size_t kGroupsAbreast = 4, kPairsAbreast = 3;

std::string plain(const TextTable& table, const std::string& alignment) {
  Rows rows = {table.heading};
  rows.insert(rows.end(), table.rows.begin(), table.rows.end());
  return text_table(rows, alignment);
}

std::string numbers(const TextTable& table) {
  return "\n" + plain(table, "l" + std::string(table.heading.size() - 1, 'r'));
}

Json spreads_json(const std::map<std::string, Spread>& spreads) {
  Json json = Json::object();
  for (const auto& [key, spread] : spreads) {
    json[key] = {{"mean", spread.mean},
                 {"deviation", spread.deviation ? Json(*spread.deviation) : Json()}};
  }
  return json;
}

}  // namespace

std::string comparison_text(const RunComparison& comparison) {
  std::string text;
  for (const RunGroup& group : comparison.groups) {
    const std::string names = join(group.runs, ", ", &ComparedRun::folder);
    const std::string title = "group " + group.name + "  ";
    const int indent = static_cast<int>(title.size());
    const std::string blank(title.size(), ' ');
    text += concat(title, wrap(names, kWidth, indent, indent), "\n");
    if (!group.description.empty())
      text += concat(blank, wrap(group.description, kWidth, indent, indent), "\n");
    text += concat(blank, wrap("published: " + group.published, kWidth, indent, indent), "\n");
  }
  text += "\nmean, ± sample deviation over the runs of a group\n";
  for (std::size_t first = 0; first < comparison.groups.size(); first += kGroupsAbreast)
    text += numbers(measures_table(comparison, first, kGroupsAbreast));
  if (!comparison.differences.empty())
    text +=
        "\ndifferences between runs of the same seed and class order: mean, ± their sample "
        "deviation\n";
  for (std::size_t first = 0; first < comparison.differences.size(); first += kPairsAbreast)
    text += numbers(differences_table(comparison, first, kPairsAbreast));
  return text;
}

std::string comparison_json(const RunComparison& comparison) {
  Json json = {{"groups", Json::array()}, {"differences", Json::array()}};
  for (const RunGroup& group : comparison.groups) {
    Json runs = Json::array();
    for (const ComparedRun& run : group.runs) {
      runs.push_back({{"folder", run.folder},
                      {"seed", run.seed},
                      {"class_order", run.class_order},
                      {"values", run.values},
                      {"accuracies", run.accuracies}});
    }
    json["groups"].push_back({{"name", group.name},
                              {"differs_in", group.description},
                              {"published", group.published},
                              {"runs", runs},
                              {"spreads", spreads_json(group.spreads)}});
  }
  for (const PairedDifference& difference : comparison.differences) {
    json["differences"].push_back({{"first", comparison.groups[difference.first].name},
                                   {"second", comparison.groups[difference.second].name},
                                   {"pairs", difference.pairs},
                                   {"spreads", spreads_json(difference.spreads)}});
  }
  return dump(json);
}

std::string comparison_csv(const RunComparison& comparison) {
  std::string csv = "group,run,seed,class_order";
  for (const Measure& measure : measures()) csv += concat(",", measure.key);
  csv += "\n";
  for (const RunGroup& group : comparison.groups) {
    for (const ComparedRun& run : group.runs) {
      csv += concat(group.name, ",", csv_cell(run.folder), ",", run.seed, ",", run.class_order);
      for (const Measure& measure : measures()) {
        const auto value = run.values.find(std::string(measure.key));
        csv += value == run.values.end() ? "," : "," + fixed(value->second, 6);
      }
      csv += "\n";
    }
  }
  return csv;
}

}  // namespace palimpsest
