#include "view_parts.h"

#include <algorithm>
#include <cmath>

#include "palimpsest/config/keys.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/scenario.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/file_json.h"
#include "palimpsest/kinds/old_settings.h"
#include "palimpsest/metrics/scores.h"
#include "palimpsest/metrics/stream_metrics.h"

namespace palimpsest {

double delta_norm(const TaskSummary& summary) {
  double squares = 0;
  for (const ModuleStatistics& module : summary.modules) {
    squares += module.norm_delta * module.norm_delta;
  }
  return std::sqrt(squares);
}

std::string identity_text(const FileIdentity& identity) {
  return concat("  content ", short_hash(identity.content_sha256), ", format ", identity.version,
                ", written by ", identity.writer, "\n");
}

Json read_run_json(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "run.json";
  if (!std::filesystem::exists(path)) return {};
  Json json = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) return json;
  throw InputError(concat(path.string(),
                          ": expected a JSON object that says how the run began, found something "
                          "else: the file is damaged. Without it (moved away) the records are "
                          "shown alone"));
}

Json recorded_settings(const std::string& recorded_json) {
  static const Json defaults = [] {
    KeyTable table;
    for (const auto& keys : {input_keys(), training_keys(), measuring_keys(), running_keys()})
      table.keys.insert(table.keys.end(), keys.begin(), keys.end());
    return Json::parse(config_json(table, RunConfig(), /*with_operational=*/false));
  }();
  Json recorded = Json::parse(with_todays_settings(recorded_json), nullptr,
                              /*allow_exceptions=*/false);
  if (!recorded.is_object()) return recorded;
  for (const auto& [name, value] : defaults.items())
    if (!recorded.contains(name)) recorded[name] = value;
  return recorded;
}

Json identity_json(const FileIdentity& identity) {
  return {{"type", identity.type},
          {"version", identity.version},
          {"writer", identity.writer},
          {"content_sha256", identity.content_sha256}};
}

Json record_json(const std::filesystem::path& file, const FileIdentity& identity) {
  Json json = identity_json(identity);
  json.update(Json::parse(file_as_json(file)));
  return json;
}

Json title_json(const char* type, const EvaluationTitle& title) {
  return {{"type", type},
          {"weights", title.weights},
          {"pack", title.pack},
          {"split", title.split},
          {"remarks", title.remarks}};
}

std::string remarks_text(const EvaluationTitle& title) {
  std::string text;
  for (const std::string& remark : title.remarks) text += "  " + wrap(remark, kWidth, 2, 2) + "\n";
  return text;
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool is_task_given(const Json& config) {
  return config.contains("scenario") && config.at("scenario") == name(Scenario::kTaskIncremental);
}

Json row_json(const EvaluationRow& row) {
  const auto numbers = [&](const std::vector<double>& values, bool as_integers) {
    Json json = Json::array();
    for (std::size_t j = 0; j < values.size(); ++j) {
      json.push_back(row.samples[j] == 0 ? Json()
                     : as_integers       ? Json(static_cast<std::int64_t>(values[j]))
                                         : Json(values[j]));
    }
    return json;
  };
  Json json = {{"samples", row.samples}};
  for (const Score& score : row.scores)
    json[score.name] = numbers(score.sums, are_counts(score.name, score.sums));
  for (const Score& score : row.scores) {
    if (!std::ranges::equal(score.weights, row.samples))
      json["weights"][score.name] = numbers(score.weights, are_whole(score.weights));
  }
  return json;
}

std::string mean_text(const Score& score, double mean, int decimals) {
  const bool is_share = score_info(score.name).unit == Unit::kShare;
  return is_share ? percent(mean) : fixed(mean, decimals);
}

std::string meanings(const std::vector<Score>& scores) {
  std::string text;
  for (const Score& score : scores) {
    const ScoreInfo info = score_info(score.name);
    if (!info.meaning.empty())
      text += concat(text.empty() ? "" : "; ", info.column, ": ", info.meaning);
  }
  return wrap(text, kWidth, 0, 0) + "\n";
}

Json metrics_json(const AccuracyMatrix& accuracy) {
  Json json = Json::object();
  for (const NamedMetric& metric : stream_metrics(accuracy))
    json[metric.name] = number_or_null(metric.value);
  return json;
}

TaskClasses RunRecords::classes() const {
  TaskClasses classes;
  for (const TaskSummary& task : tasks) classes.push_back(task.record.classes);
  return classes;
}

RunRecords read_run_records(const RunFolder& folder) {
  const std::optional<Manifest> manifest = folder.manifest();
  RunRecords run;
  for (std::int64_t task = 0; manifest && task < manifest->tasks_done; ++task)
    run.tasks.push_back(folder.task_summary(*manifest, task));
  if (run.tasks.empty()) return run;
  StateRecord state = read_state_summary(folder.state_file(manifest->tasks_done - 1)).record;
  run.accuracy = std::move(state.accuracy);
  run.others = std::move(state.others);
  return run;
}

RunRecords read_finished(const std::filesystem::path& folder) {
  RunFolder(folder).check_newest();
  RunRecords run = read_run_records(RunFolder(folder));
  if (!run.tasks.empty()) return run;
  throw InputError(concat(folder.string(), ": expected a run folder with a finished task, found ",
                          describe_missing_run(folder)));
}

}  // namespace palimpsest
