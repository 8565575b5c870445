#include "view_parts.h"

#include <algorithm>
#include <cmath>

#include "palimpsest/config/keys.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/scenario.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/file_json.h"
#include "palimpsest/kinds/old_settings.h"
#include "palimpsest/metrics/scores.h"
#include "palimpsest/metrics/stream_metrics.h"
#include "palimpsest/report/readable.h"

namespace palimpsest {

double norm_of_delta(const TaskSummary& summary) {
  double squares = 0;
  for (const ModuleStatistics& module : summary.modules) {
    squares += module.norm_delta * module.norm_delta;
  }
  return std::sqrt(squares);
}

std::string before_and_after(double before, double after) {
  return fixed(100 * before, 1) + " -> " + fixed(100 * after, 1);
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
    for (const auto& keys :
         {keys_of_input(), keys_of_training(), keys_of_measuring(), keys_of_running()})
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

std::string fixed_or_dash(const std::optional<double>& value, int decimals) {
  return value ? fixed(*value, decimals) : "-";
}

std::string percent_or_dash(const std::optional<double>& share) {
  return share ? fixed(100 * *share, 1) : "-";
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
  const bool is_share = info_of(score.name).unit == Unit::kShare;
  return is_share ? fixed(100 * mean, 1) : fixed(mean, decimals);
}

std::string meanings(const std::vector<Score>& scores) {
  std::string text;
  for (const Score& score : scores) {
    const ScoreInfo info = info_of(score.name);
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

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

}  // namespace palimpsest
