#include "published.h"

#include <algorithm>

#include "palimpsest/core/hash.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/kind_settings.h"

namespace palimpsest {
namespace {

using enum Condition::Met;

const Json& published() {
  static const Json json = Json::parse(published_texts().front().text);
  return json;
}

// As configs/protocols/README.md has it: of the names, UTF-8, a line feed after each.
std::string hash_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return sha256(text);
}

bool contains(const Json& list, const std::string& text) {
  return std::find(list.begin(), list.end(), Json(text)) != list.end();
}

std::vector<std::string> run_classes(const ReportedRun& run) {
  std::vector<std::string> names;
  for (const TaskSummary& task : run.tasks)
    names.insert(names.end(), task.record.classes.begin(), task.record.classes.end());
  return names;
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  return names;
}

const Json* published_column(const ReportedRun& run) {
  const std::string classes = hash_names(sorted(run_classes(run)));
  for (const Json& column : published()["columns"]) {
    if (column["classes_sha256"] == classes && column["tasks"] == run.tasks.size()) return &column;
  }
  return nullptr;
}

// Whether a setting is as published; of a kind, as far as both say.
bool agrees(const Json& found, const Json& published) {
  if (!found.is_string() || !published.is_string()) return found == published;
  const std::string ours = found, theirs = published;
  if (kind_in(ours) != kind_in(theirs)) return false;
  return std::ranges::all_of(keys_in(theirs), [&](const KeyText& key) {
    const std::string value = key_in(ours, key.key);
    return value.empty() || value == key.value;
  });
}

// Of a row, with the published size of the perturbation where it has one.
Json published_method(const Json& row) {
  Json method = row["method"];
  const std::string published_size =
      key_in(published()["settings"]["perturbation"].get<std::string>(), "epsilon");
  if (method["perturbation"] != "none")
    method["perturbation"] =
        concat(method["perturbation"].get<std::string>(), ":epsilon=", published_size);
  return method;
}

const Json* published_row(const ReportedRun& run) {
  const std::string adapter = published()["settings"]["adapter"];
  if (kind_in(run.text_setting("adapter")) != kind_in(adapter)) return nullptr;
  for (const Json& row : published()["rows"]) {
    if (!row.contains("method")) continue;
    const auto matches_run = [&](const auto& item) {
      return agrees(run.config.value(item.key(), Json()), item.value());
    };
    const auto items = row["method"].items();
    if (std::all_of(items.begin(), items.end(), matches_run)) return &row;
  }
  return nullptr;
}

Condition split(const ReportedRun& run, const Json& column) {
  std::int64_t train = 0, test = 0;
  for (const TaskSummary& task : run.tasks) train += task.record.train_samples;
  for (const std::int64_t samples : run.tasks.back().record.metrics.after_merge.samples)
    test += samples;
  const Json& expected = column["split"];
  const std::string what = concat(grouped(train), " + ", grouped(test),
                                  " samples; published: ", expected["what"].get<std::string>());
  const bool counted = expected["train"].is_number();
  const bool differs = counted && (expected["train"] != train || expected["test"] != test);
  const bool sure = counted && expected["is"] == "published";
  return {"split",
          differs ? kNo
          : sure  ? kYes
                  : kUnknown,
          differs ? concat(what, ", ", grouped(expected["train"].get<std::int64_t>()), " + ",
                           grouped(expected["test"].get<std::int64_t>()))
                  : what};
}

Condition class_order(const ReportedRun& run, const Json& column) {
  const bool literal = column["order_sha256"].get<std::string>() == hash_names(run_classes(run));
  return {"class order", kUnknown,
          concat(literal ? "as in " : "another than in ", "configs/protocols/",
                 column["protocol"].get<std::string>(),
                 ".json; published: ", published()["class_order"].get<std::string>())};
}

Condition weights(const ReportedRun& run) {
  const std::string name = run.tasks.back().record.backbone_name;
  const Json& weights = published()["weights"];
  const bool is_folder_name = contains(weights["folders"], name);
  return {"weights", is_folder_name ? kUnknown : kNo,
          concat(name, "; published: ", weights["what"].get<std::string>())};
}

// The settings of the paper that this run has otherwise.
Condition settings(const ReportedRun& run, const Json& column, const Json& row) {
  Json expected = published()["settings"];
  expected.update(column["settings"]);
  expected.update(published_method(row));
  std::string differing;
  for (const auto& [key, value] : expected.items()) {
    if (!run.config.contains(key) || agrees(run.config[key], value)) continue;
    differing += concat(differing.empty() ? "" : ", ", key, " ", setting_text(run.config[key]),
                        " (published: ", setting_text(value), ")");
  }
  return {"settings", differing.empty() ? kYes : kNo,
          differing.empty() ? "as far as they are published" : differing};
}

}  // namespace

std::string PublishedNumber::names(Condition::Met met) const {
  std::vector<std::string> names;
  for (const Condition& condition : conditions)
    if (condition.met == met) names.push_back(condition.name);
  return join(names);
}

PublishedMatch published_match(const ReportedRun& run) {
  if (run.tasks.empty()) return {{}, "no task is finished yet"};
  const Json* const column = published_column(run);
  if (column == nullptr) {
    const std::string names = join(published()["columns"], ", ",
                                   [](const Json& one) { return one["name"].get<std::string>(); });
    return {{}, concat("no number is published for these tasks; there are numbers for ", names)};
  }
  const std::string name = (*column)["name"];
  const Json* const row = published_row(run);
  if (row == nullptr) {
    return {{},
            concat("no number is published on ", name, " for adapter ", run.text_setting("adapter"),
                   ", perturbation ", run.text_setting("perturbation"), ", merge ",
                   run.text_setting("merge"))};
  }
  PublishedNumber number{
      .column = name,
      .row = (*row)["name"],
      .last = (*row)["last"][name],
      .average_anytime = {},
      .conditions = {split(run, *column),
                     class_order(run, *column),
                     weights(run),
                     {"normalisation", kUnknown,
                      concat(key_in(run.text_setting("image-transform"), "normalisation"),
                             "; published: nothing")},
                     settings(run, *column, *row)}};
  if (row->contains("average_anytime") && (*row)["average_anytime"].contains(name))
    number.average_anytime = (*row)["average_anytime"][name].get<double>();
  return {std::move(number), ""};
}

std::string value_in_paper(const std::string& key) {
  const Json& settings = published()["settings"];
  if (settings.contains(key)) return setting_text(settings[key]);
  return contains(published()["not_published"], key) ? "not published" : "";
}

bool departs_from_paper(const std::string& key, const Json& value) {
  const Json& settings = published()["settings"];
  return settings.contains(key) && !agrees(value, settings[key]);
}

std::string published_line(const PublishedMatch& match) {
  if (!match.number) return match.why;
  const PublishedNumber& number = *match.number;
  const std::string differs = number.names(kNo), unknown = number.names(kUnknown);
  return concat(number.row, " on ", number.column, ": ", fixed(number.last, 2), " %",
                differs.empty() ? "" : concat("; not the same: ", differs),
                unknown.empty() ? "" : concat("; not known: ", unknown));
}

}  // namespace palimpsest
