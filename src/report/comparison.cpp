#include "palimpsest/report/comparison.h"

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/kinds/old_settings.h"
#include "published.h"
#include "reported_run.h"

namespace palimpsest {
namespace {

// "A" to "Z", then "AA".
std::string letters(std::size_t index) {
  const std::string last(1, static_cast<char>('A' + index % 26));
  return index < 26 ? last : letters(index / 26 - 1) + last;
}

// What runs of a group have in common, by name.
std::map<std::string, std::string> run_conditions(const ReportedRun& run) {
  std::map<std::string, std::string> conditions;
  const TaskRecord& record = run.tasks.back().record;
  const Json recorded = recorded_settings(record.config);
  if (recorded.is_object()) {
    for (const auto& [key, value] : recorded.items())
      if (key != "seed") conditions[key] = setting_text(value);
  }
  const std::string sizes =
      join(run.tasks, "+", [](const TaskSummary& task) { return task.record.classes.size(); });
  conditions["tasks"] = concat(run.tasks.size(), " of ", sizes, " classes");
  conditions["backbone"] = record.backbone_name + " " + short_hash(record.backbone_sha256);
  conditions["pack"] = short_hash(record.pack_content_sha256);
  return conditions;
}

ComparedRun compared(const ReportedRun& run) {
  const bool are_domains = shares_head(run.text_setting("scenario"));  // names distinguish them
  std::string order;
  for (const TaskSummary& task : run.tasks) {
    if (are_domains) order += task.record.name + "\n";
    for (const std::string& name : task.record.classes) order += name + "\n";
    order += "\n";
  }
  ComparedRun result{.folder = run.folder.string(),
                     .seed = run.tasks.back().record.seed,
                     .class_order = sha256(order),
                     .values = {},
                     .accuracies = {}};
  for (const Measure& measure : measures())
    if (const auto value = measure_value(measure, run.accuracy))
      result.values[std::string(measure.key)] = *value;
  for (std::size_t t = 0; t < run.accuracy.tasks(); ++t)
    result.accuracies.push_back(run.accuracy.row(t).sample_weighted());
  return result;
}

void refuse_a_double(const RunGroup& group, const ComparedRun& run) {
  for (const ComparedRun& other : group.runs) {
    if (other.seed != run.seed || other.class_order != run.class_order) continue;
    throw UsageError(concat(other.folder, " and ", run.folder, " have the same settings, seed (",
                            run.seed, ") and class order: name one of them, or it counts twice"));
  }
}

// Of the measures that all of these runs have.
template <typename ValueAt>
std::map<std::string, Spread> measure_spreads(std::size_t count, const ValueAt& value_at) {
  std::map<std::string, Spread> spreads;
  for (const Measure& measure : measures()) {
    std::vector<double> values;
    for (std::size_t i = 0; i < count; ++i)
      if (const std::optional<double> value = value_at(i, std::string(measure.key)))
        values.push_back(*value);
    if (count > 0 && values.size() == count) spreads[std::string(measure.key)] = spread(values);
  }
  return spreads;
}

std::optional<double> value_in(const ComparedRun& run, const std::string& key) {
  const auto found = run.values.find(key);
  return found == run.values.end() ? std::nullopt : std::optional(found->second);
}

std::optional<PairedDifference> paired(const std::vector<RunGroup>& groups, std::size_t first,
                                       std::size_t second) {
  std::vector<std::pair<const ComparedRun*, const ComparedRun*>> pairs;
  for (const ComparedRun& one : groups[first].runs) {
    for (const ComparedRun& other : groups[second].runs) {
      if (one.seed == other.seed && one.class_order == other.class_order)
        pairs.emplace_back(&one, &other);
    }
  }
  if (pairs.empty()) return std::nullopt;
  const auto difference = [&](std::size_t i, const std::string& key) -> std::optional<double> {
    const auto before = value_in(*pairs[i].first, key), after = value_in(*pairs[i].second, key);
    if (!before || !after) return std::nullopt;
    return *after - *before;
  };
  return PairedDifference{first, second, pairs.size(), measure_spreads(pairs.size(), difference)};
}

// "perturbation none, merge average": what is not the same in all groups.
std::string description(const std::vector<std::map<std::string, std::string>>& all,
                        std::size_t group) {
  std::string text;
  for (const auto& [key, value] : all[group]) {
    const bool common =
        std::ranges::all_of(all, [&, &name = key, &shown = value](const auto& other) {
          return other.contains(name) && other.at(name) == shown;
        });
    if (!common) text += concat(text.empty() ? "" : ", ", key, " ", value.empty() ? "-" : value);
  }
  return text;
}

}  // namespace

RunComparison compare_runs(const std::vector<std::filesystem::path>& runs) {
  RunComparison comparison;
  std::vector<std::map<std::string, std::string>> conditions;  // of the groups
  for (const std::filesystem::path& folder : runs) {
    const ReportedRun records = read_reported_run(folder);
    if (records.tasks.empty())
      throw InputError(
          concat(folder.string(), ": expected a run with a finished task, found none"));
    const auto own = run_conditions(records);
    const auto same = std::ranges::find(conditions, own);
    const auto index = static_cast<std::size_t>(same - conditions.begin());
    if (same == conditions.end()) {
      conditions.push_back(own);
      comparison.groups.push_back({.name = letters(index),
                                   .description = {},
                                   .runs = {},
                                   .spreads = {},
                                   .published = published_line(published_match(records))});
    }
    const ComparedRun run = compared(records);
    refuse_a_double(comparison.groups[index], run);
    comparison.groups[index].runs.push_back(run);
  }
  for (std::size_t g = 0; g < comparison.groups.size(); ++g) {
    RunGroup& group = comparison.groups[g];
    group.description = description(conditions, g);
    group.spreads = measure_spreads(group.runs.size(), [&](std::size_t i, const std::string& key) {
      return value_in(group.runs[i], key);
    });
    for (std::size_t earlier = 0; earlier < g; ++earlier)
      if (auto difference = paired(comparison.groups, earlier, g))
        comparison.differences.push_back(*difference);
  }
  return comparison;
}

}  // namespace palimpsest
