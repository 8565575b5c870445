#include <algorithm>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/report/readable.h"
#include "palimpsest/report/summary.h"
#include "palimpsest/report/views.h"
#include "view_parts.h"

namespace palimpsest {
namespace {

// What run.json says of the run; null when it is missing or damaged, which hides nothing that was
// computed.
Json read_run_json(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "run.json";
  if (!std::filesystem::exists(path)) return {};
  const Json json = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json();
}

std::string highlights(const Json& config) {
  std::string text;
  for (const char* const key :
       {"adapter", "perturbation", "epsilon", "merge", "fisher-scale", "head-refit", "lora-rank",
        "epochs", "batch", "lr", "head-lr", "schedule", "seed", "lanes", "device"}) {
    if (!config.contains(key)) continue;
    const Json& value = config.at(key);
    text += concat(text.empty() ? "" : ", ", key, " ",
                   value.is_string() ? value.get<std::string>() : value.dump());
  }
  // Shown where they are on.
  const std::pair<const char*, Json> off[] = {
      {"joint", false}, {"head", "linear"}, {"head-align", false}};
  for (const auto& [key, value] : off) {
    if (!config.contains(key) || config.at(key) == value) continue;
    text += concat(", ", key, value.is_string() ? " " + config.at(key).get<std::string>() : "");
  }
  return wrap(text, kWidth, 2, 2);
}

std::string task_table(const std::vector<TaskSummary>& tasks) {
  Rows rows = {{"task", "classes", "samples", "alpha", "unclamped", "Fisher x", "|Delta|",
                "this task", "all so far", "time"}};
  for (const TaskSummary& task : tasks) {
    const TaskRecord& record = task.record;
    const EvaluationRow& before = record.metrics.before_merge;
    const EvaluationRow& after = record.metrics.after_merge;
    const std::size_t own = after.samples.size() - 1;
    const TaskMetrics& metrics = record.metrics;
    rows.push_back({std::to_string(record.index + 1), std::to_string(record.classes.size()),
                    grouped(record.train_samples), fixed_or_dash(record.merge.alpha(), 3),
                    fixed_or_dash(record.merge.alpha_unclamped, 3),
                    record.fisher ? scientific(record.fisher->factor, 1) : "-",
                    fixed(norm_of_delta(task), 3),
                    before_and_after(before.accuracy(own), after.accuracy(own)),
                    before_and_after(before.sample_weighted(), after.sample_weighted()),
                    duration(metrics.seconds_train + metrics.seconds_fisher +
                             metrics.seconds_merge + metrics.seconds_evaluate)});
  }
  return text_table(rows, std::string(10, 'r'));
}

std::string names_and_remarks(const std::vector<TaskSummary>& tasks) {
  std::string names, remarks;
  for (const TaskSummary& task : tasks) {
    const std::string number = std::to_string(task.record.index + 1);
    const std::string title =
        concat("  ", std::string(number.size() < 2 ? 1 : 0, ' '), number, "  ");
    const int indent = static_cast<int>(title.size());
    names += concat(
        title,
        wrap(concat(task.record.name, ": ", listed(task.record.classes)), kWidth, indent, indent),
        "\n");
    if (task.record.merge.remark.empty()) continue;
    remarks += concat(title, wrap(task.record.merge.remark, kWidth, indent, indent), "\n");
  }
  return concat("tasks\n", names, remarks.empty() ? "" : "\nwhat the merges had to say\n", remarks);
}

Json summary_json(const AccuracyMatrix& accuracy) {
  return {{"last", accuracy.last()},
          {"average_anytime", accuracy.average_anytime()},
          {"forgetting", number_or_null(accuracy.forgetting())},
          {"forgetting_from_peak_before_merge",
           number_or_null(accuracy.forgetting_from_peak_before_merge())},
          {"backward_transfer", number_or_null(accuracy.backward_transfer())},
          {"plasticity_before_merge", accuracy.plasticity_before_merge()},
          {"plasticity", accuracy.plasticity()},
          {"last_given_task", accuracy.last_given_task()}};
}

std::vector<TaskSummary> read_tasks(const RunFolder& folder, std::int64_t count) {
  std::vector<TaskSummary> tasks;
  for (std::int64_t task = 0; task < count; ++task) {
    tasks.push_back(read_task_summary(folder.task_file(task)));
    if (tasks.back().record.index == task) continue;
    throw InputError(concat(folder.task_file(task).string(), ": expected task ", task,
                            ", found task ", tasks.back().record.index,
                            ": palimpsest-verify names all that is wrong with the run"));
  }
  return tasks;
}

}  // namespace

View view_of_run(const std::filesystem::path& path) {
  const RunFolder folder(path);
  const std::optional<Manifest> manifest = folder.manifest();
  const Json run = read_run_json(path);
  if (!manifest && run.is_null()) {
    throw InputError(concat(
        path.string(), ": expected a run folder with manifest.json or run.json, found neither"));
  }
  const std::vector<TaskSummary> tasks = read_tasks(folder, manifest ? manifest->tasks_done : 0);
  AccuracyMatrix accuracy;
  std::vector<double> alphas;
  for (const TaskSummary& task : tasks) {
    accuracy.add_row(task.record.metrics.after_merge, task.record.metrics.before_merge);
    if (const auto alpha = task.record.merge.alpha()) alphas.push_back(*alpha);
  }
  if (alphas.size() != tasks.size()) alphas.clear();

  const Json config =
      tasks.empty() ? run.value("config", Json::object())
                    : Json::parse(tasks.back().record.config, nullptr, /*allow_exceptions=*/false);
  std::string text =
      concat("run ", path.string(), ", ", tasks.size(), tasks.size() == 1 ? " task" : " tasks",
             " done\n  ", highlights(config), "\n");
  Json json = {{"type", "run"},   {"folder", path.string()}, {"tasks_done", tasks.size()},
               {"run", run},      {"config", config},        {"tasks", Json::array()},
               {"alphas", alphas}};
  for (const TaskSummary& task : tasks) json["tasks"].push_back(task_json(task));
  if (tasks.empty()) {
    text += "\n" + summary_table(accuracy, {}, kWidth);
    return {std::move(text), dump(json)};
  }
  const TaskRecord& record = tasks.back().record;
  text += concat("  backbone ", record.backbone_name, " ", short_hash(record.backbone_sha256),
                 ", pack ", short_hash(record.pack_content_sha256), "\n\n", task_table(tasks),
                 "this task, all so far: accuracy in % before -> after the merge\n\n",
                 names_and_remarks(tasks), "\n", summary_table(accuracy, alphas, kWidth));
  json["summary"] = summary_json(accuracy);
  return {std::move(text), dump(json)};
}

}  // namespace palimpsest
