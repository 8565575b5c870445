#include "run_records.h"

#include <array>
#include <charconv>
#include <fstream>
#include <numeric>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/report/readable.h"

namespace palimpsest {
namespace {

// Null when it is missing or damaged, which hides nothing that was computed.
Json read_run_json(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return {};
  const Json json = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json();
}

std::optional<double> top5(const AccuracyMatrix& accuracy) {
  if (accuracy.tasks() == 0) return std::nullopt;
  const EvaluationRow& row = accuracy.row(accuracy.tasks() - 1);
  if (row.correct_top5.empty()) return std::nullopt;
  const auto sum = [](const std::vector<std::int64_t>& counts) {
    return static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  };
  return sum(row.correct_top5) / sum(row.samples);
}

// The fewest digits that read back the same.
std::string short_form(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

constexpr std::array kMeasures = {
    Measure{"last", "last accuracy", "after the last task, on all tasks' samples", false,
            [](const AccuracyMatrix& m) { return std::optional(m.last()); }},
    Measure{
        "task_mean", "last accuracy, mean over tasks", "the same, every task counting alike", false,
        [](const AccuracyMatrix& m) {
          return m.tasks() == 0 ? std::nullopt : std::optional(m.row(m.tasks() - 1).task_mean());
        }},
    Measure{"average_anytime", "average anytime accuracy",
            "mean over tasks of the accuracy on all so far", false,
            [](const AccuracyMatrix& m) { return std::optional(m.average_anytime()); }},
    Measure{"forgetting", "forgetting", "best accuracy on a task, minus the last", true,
            [](const AccuracyMatrix& m) { return m.forgetting(); }},
    Measure{"forgetting_from_peak_before_merge", "forgetting, from before the merge",
            "the same, counting what was reached before a merge", true,
            [](const AccuracyMatrix& m) { return m.forgetting_from_peak_before_merge(); }},
    Measure{"backward_transfer", "backward transfer", "last accuracy on a task, minus its first",
            true, [](const AccuracyMatrix& m) { return m.backward_transfer(); }},
    Measure{"plasticity_before_merge", "plasticity before the merge",
            "accuracy on the newest task, mean over tasks", false,
            [](const AccuracyMatrix& m) { return std::optional(m.plasticity_before_merge()); }},
    Measure{"plasticity", "plasticity after the merge", "the same, of the model that stays", false,
            [](const AccuracyMatrix& m) { return std::optional(m.plasticity()); }},
    Measure{"last_given_task", "accuracy given the task",
            "as last, choosing among the task's classes only", false,
            [](const AccuracyMatrix& m) { return std::optional(m.last_given_task()); }},
    Measure{"top5", "top-5 accuracy", "as last, right when among the five likeliest", false, top5},
};

}  // namespace

std::string RunRecords::name() const {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

std::string RunRecords::text_setting(const char* key) const {
  const auto value = config.find(key);
  return value != config.end() && value->is_string() ? value->get<std::string>() : "";
}

RunRecords read_run_records(const std::filesystem::path& folder) {
  const RunFolder run(folder);
  const std::optional<Manifest> manifest = run.manifest();
  RunRecords records{.folder = folder,
                     .run = read_run_json(folder / "run.json"),
                     .config = Json::object(),
                     .tasks = {},
                     .accuracy = {},
                     .state_content_sha256 = {}};
  if (!manifest && records.run.is_null()) {
    throw InputError(concat(
        folder.string(), ": expected a run folder with manifest.json or run.json, found neither"));
  }
  for (std::int64_t task = 0; manifest && task < manifest->tasks_done; ++task) {
    TaskSummary summary = read_task_summary(run.task_file(task));
    if (summary.record.index != task) {
      throw InputError(concat(run.task_file(task).string(), ": expected task ", task,
                              ", found task ", summary.record.index,
                              ": palimpsest-verify names all that is wrong with the run"));
    }
    records.accuracy.add_row(summary.record.metrics.after_merge,
                             summary.record.metrics.before_merge);
    records.tasks.push_back(std::move(summary));
  }
  if (!records.tasks.empty()) {
    const Json config = Json::parse(records.tasks.back().record.config, nullptr, false);
    if (config.is_object()) records.config = config;
    const auto state =
        manifest->files.find(run.state_file(manifest->tasks_done - 1).filename().string());
    if (state != manifest->files.end()) records.state_content_sha256 = state->second.content_sha256;
  }
  if (records.run.contains("config") && records.run["config"].is_object()) {
    for (const auto& [key, value] : records.run["config"].items())
      if (!records.config.contains(key)) records.config[key] = value;
  }
  return records;
}

std::vector<TaskLosses> read_losses(const std::filesystem::path& metrics_file) {
  std::vector<TaskLosses> tasks;
  std::ifstream file(metrics_file);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("{\"event\":\"step\",")) continue;
    const Json step = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!step.is_object() || !step.contains("task") || !step["task"].is_number_integer() ||
        !step.contains("loss") || !step["loss"].is_number())
      continue;
    const auto task = step["task"].get<std::int64_t>();
    if (tasks.empty() || tasks.back().task != task) tasks.push_back({.task = task});
    tasks.back().losses.push_back(step["loss"].get<double>());
  }
  return tasks;
}

std::span<const Measure> measures() { return kMeasures; }

std::string measure_text(const Measure& measure, const std::optional<double>& value) {
  if (!value) return "-";
  return fixed(100 * *value, 1) + (measure.is_difference ? " points" : " %");
}

std::string setting_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return short_form(value.get<double>());
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& one : value) text += (text.empty() ? "" : ",") + setting_text(one);
  return text;
}

}  // namespace palimpsest
