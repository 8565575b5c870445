#include "reported_run.h"

#include <fstream>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/kinds/old_settings.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/metrics/scores.h"
#include "palimpsest/metrics/stream_metrics.h"
#include "view_parts.h"

namespace palimpsest {
namespace {

std::vector<Measure> all_measures() {
  std::vector<Measure> measures = {
      {"last", "last accuracy", "after the last task, on all tasks' samples", false},
      {"last_task_mean", "last accuracy, mean over tasks", "the same, every task counting alike",
       false},
      {"average_anytime", "average anytime accuracy", "mean of the accuracies on all tasks so far",
       false},
      {"forgetting", "forgetting", "best accuracy on a task, minus the last", true},
      {"forgetting_from_peak_before_merge", "forgetting, from before the merge",
       "the same, counting what was reached before a merge", true},
      {"backward_transfer", "backward transfer", "last accuracy on a task, minus its first", true},
      {"plasticity_before_merge", "plasticity before the merge",
       "accuracy on the newest task, mean over tasks", false},
      {"plasticity", "plasticity after the merge", "the same, of the model that stays", false}};
  for (const ScoreInfo& info : known_scores()) {
    if (info.unit != Unit::kShare || info.metric.empty()) continue;
    measures.push_back({concat("last_", info.metric), std::string(info.title),
                        concat("as last, ", info.meaning), false, true});
  }
  return measures;
}

}  // namespace

std::string ReportedRun::name() const {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

std::string ReportedRun::text_setting(const char* key) const {
  const auto value = config.find(key);
  return value != config.end() && value->is_string() ? value->get<std::string>() : "";
}

ReportedRun read_reported_run(const std::filesystem::path& folder) {
  const RunFolder files(folder);
  const std::optional<Manifest> manifest = files.manifest();
  ReportedRun run{.folder = folder,
                  .run = read_run_json(folder),
                  .config = Json::object(),
                  .tasks = {},
                  .accuracy = {},
                  .among_all = {},
                  .others = {},
                  .state_content_sha256 = {}};
  if (!manifest && run.run.is_null()) {
    throw InputError(concat(folder.string(),
                            ": expected a run folder with manifest.json or run.json, found ",
                            describe_missing_run(folder)));
  }
  RunRecords records = read_run_records(files);
  run.tasks = std::move(records.tasks);
  run.among_all = std::move(records.accuracy);
  if (!run.tasks.empty()) {
    const Json config =
        Json::parse(with_todays_settings(run.tasks.back().record.config), nullptr, false);
    if (config.is_object()) run.config = config;
    const auto state =
        manifest->files.find(files.state_file(manifest->tasks_done - 1).filename().string());
    if (state != manifest->files.end()) run.state_content_sha256 = state->second.content_sha256;
  }
  if (run.run.contains("config") && run.run["config"].is_object()) {
    const Json at_start = Json::parse(with_todays_settings(run.run["config"].dump()));
    for (const auto& [key, value] : at_start.items())
      if (!run.config.contains(key)) run.config[key] = value;
  }
  // run.json is of the first start; a later one may have gone further.
  const Json tasks = run.config.value("tasks", Json(0));
  if (tasks.is_number_integer() && tasks > 0 && tasks < run.tasks.size())
    run.config["tasks"] = run.tasks.size();
  run.others = std::move(records.others);
  run.accuracy = is_task_given(run.config) ? given_task(run.among_all) : run.among_all;
  return run;
}

RunLosses read_losses(const std::filesystem::path& metrics_file) {
  RunLosses run;
  std::ifstream file(metrics_file);
  for (std::string line; std::getline(file, line);) {
    const Json event = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!event.is_object() || !event.contains("event")) {
      ++run.damaged_lines;
      continue;
    }
    if (event["event"] != "step") continue;
    const Json index = event.value("task", Json()), loss = event.value("loss", Json());
    if (loss.is_null() && event.contains("loss")) continue;  // not finite, and skipped
    if (!index.is_number_integer() || !loss.is_number()) {
      ++run.damaged_lines;
      continue;
    }
    const auto task = index.get<std::int64_t>();
    if (run.tasks.empty() || run.tasks.back().task != task) run.tasks.push_back({.task = task});
    run.tasks.back().losses.push_back(loss.get<double>());
  }
  return run;
}

std::span<const Measure> measures() {
  static const std::vector<Measure> measures = all_measures();
  return measures;
}

std::optional<double> measure_value(const Measure& measure, const AccuracyMatrix& accuracy) {
  if (accuracy.tasks() == 0) return std::nullopt;
  for (const NamedMetric& metric : stream_metrics(accuracy))
    if (metric.name == measure.key) return metric.value;
  return std::nullopt;
}

std::optional<double> accuracy_on(const EvaluationRow& row, std::size_t task) {
  return row.samples.at(task) > 0 ? std::optional(row.accuracy(task)) : std::nullopt;
}

std::string measure_text(const Measure& measure, const std::optional<double>& value) {
  if (!value) return "-";
  return percent(*value) + (measure.is_difference ? " points" : " %");
}

std::string setting_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return shortest(value.get<double>());
  if (!value.is_array()) return value.dump();
  return join(value, ",", setting_text);
}

}  // namespace palimpsest
