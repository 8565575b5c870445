#include <algorithm>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/report/views.h"
#include "view_parts.h"

namespace palimpsest {
namespace {

std::string highlights(const Json& config) {
  std::string text;
  for (const char* const key :
       {"scenario", "adapter", "perturbation", "objective", "head", "penalty", "curvature", "merge",
        "classifier", "epochs", "batch", "lr", "head-lr", "schedule", "seed", "lanes", "device"}) {
    if (!config.contains(key)) continue;
    const Json& value = config.at(key);
    text += concat(text.empty() ? "" : "; ", key, " ",
                   value.is_string() ? value.get<std::string>() : value.dump());
  }
  // Shown where they are on.
  const std::pair<const char*, Json> off[] = {{"joint", false}, {"validation", 0.0}};
  for (const auto& [key, value] : off) {
    if (!config.contains(key) || config.at(key) == value) continue;
    const Json& found = config.at(key);
    text += concat("; ", key, found.is_string() ? " " + found.get<std::string>() : "",
                   found.is_number() ? " " + found.dump() : "");
  }
  return wrap(text, kWidth, 2, 2);
}

std::string task_table(const std::vector<TaskSummary>& tasks, bool task_given) {
  Rows rows = {{"task", "classes", "samples", "alpha", "unclamped", "Fisher x", "|Delta|",
                "this task", "all so far", "time"}};
  for (const TaskSummary& task : tasks) {
    const TaskRecord& record = task.record;
    const TaskMetrics& metrics = record.metrics;
    const auto shown = [&](const EvaluationRow& row) { return task_given ? given_task(row) : row; };
    const EvaluationRow before = shown(metrics.before_merge), after = shown(metrics.after_merge);
    const std::size_t own = after.samples.size() - 1;
    rows.push_back({std::to_string(record.index + 1), std::to_string(record.classes.size()),
                    grouped(record.train_samples), fixed(record.merge.alpha(), 3),
                    fixed(record.merge.alpha_unclamped, 3),
                    record.fisher ? scientific(record.fisher->factor, 1) : "-",
                    fixed(delta_norm(task), 3),
                    before_and_after(before.accuracy(own), after.accuracy(own)),
                    before_and_after(accuracy_over_seen(before), accuracy_over_seen(after)),
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
        wrap(concat(task.record.name, ": ", join(task.record.classes)), kWidth, indent, indent),
        "\n");
    if (task.record.merge.remark.empty()) continue;
    remarks += concat(title, wrap(task.record.merge.remark, kWidth, indent, indent), "\n");
  }
  return concat("tasks\n", names, remarks.empty() ? "" : "\nwhat the merges had to say\n", remarks);
}

// By how much each merge raised its task's loss; "" where nothing was measured.
std::string budget_table(const std::vector<TaskSummary>& tasks) {
  Rows rows = {{"task", "alpha", "loss trained", "rise predicted", "rise measured"}};
  for (const TaskSummary& task : tasks) {
    const TaskMetrics& metrics = task.record.metrics;
    if (!metrics.rise_measured) continue;
    rows.push_back({std::to_string(task.record.index + 1), fixed(task.record.merge.alpha(), 3),
                    metrics.loss_trained == 0 ? "-" : fixed(metrics.loss_trained, 4),
                    fixed(metrics.rise_predicted, 4), fixed(*metrics.rise_measured, 4)});
  }
  if (rows.size() == 1) return "";
  return concat("what each merge cost its task: training loss in nats, trained to merged weights\n",
                text_table(rows, "rrrrr"), "\n");
}

Json class_json(const RunRecords& run) {
  Json classes = Json::array();
  const EvaluationRow& row = run.tasks.back().record.metrics.after_merge;
  std::size_t place = 0;
  for (const TaskSummary& task : run.tasks) {
    for (const std::string& name : task.record.classes) {
      if (place == row.class_samples.size()) return classes;
      const std::int64_t samples = row.class_samples[place], correct = row.class_correct[place];
      classes.push_back({{"task", task.record.index},
                         {"class", name},
                         {"samples", samples},
                         {"correct", correct},
                         {"accuracy", samples == 0 ? Json()
                                                   : Json(static_cast<double>(correct) /
                                                          static_cast<double>(samples))}});
      ++place;
    }
  }
  return classes;
}

// The classes that are found least often, after the last task; "" where that wasn't counted, or the
// newest task alone was tested.
std::string hardest_classes(const RunRecords& run) {
  constexpr std::size_t kShown = 8;
  if (!is_over_seen(run.tasks.back().record.metrics.after_merge)) return "";
  const Json classes = class_json(run);
  std::vector<std::pair<double, std::string>> found;
  for (const Json& entry : classes) {
    if (!entry["accuracy"].is_null()) found.emplace_back(entry["accuracy"], entry["class"]);
  }
  if (found.empty() ||
      score_info(run.tasks.back().record.metrics.after_merge.scores.front().name).of_completions)
    return "";
  std::ranges::stable_sort(found, {}, &std::pair<double, std::string>::first);
  const std::string text =
      join(std::span(found).first(std::min(kShown, found.size())), ", ",
           [](const auto& one) { return one.second + " " + percent(one.first); });
  return "\n" +
         wrap(concat("Least often right (%), of ", found.size(), " classes: ", text), kWidth, 2,
              0) +
         "\n";
}

Json summary_json(const std::string& classifier, const AccuracyMatrix& accuracy, bool task_given) {
  Json numbers = {{"classifier", classifier}, {"task_given", task_given}};
  numbers.update(metrics_json(task_given ? given_task(accuracy) : accuracy));
  return numbers;
}

std::string run_json(const RunFolder& folder, const std::optional<Manifest>& manifest,
                     const Json& run, const Json& config, const RunRecords& records,
                     const std::vector<double>& alphas) {
  const auto& [tasks, accuracy, others] = records;
  Json json = {{"type", "run"},
               {"folder", folder.path().string()},
               {"tasks_done", tasks.size()},
               {"tasks_before", manifest ? manifest->tasks_before : 0},
               {"run", run},
               {"config", config},
               {"tasks", Json::array()},
               {"alphas", alphas}};
  for (const TaskSummary& task : tasks)
    json["tasks"].push_back(task_json(folder.task_file(task.record.index), task));
  if (tasks.empty()) return dump(json);
  const bool task_given = is_task_given(config);
  json["summary"] = summary_json(tasks.back().record.metrics.classifier, accuracy, task_given);
  json["other_summaries"] = Json::array();
  for (const OtherAccuracy& other : others)
    json["other_summaries"].push_back(summary_json(other.classifier, other.accuracy, task_given));
  json["classes"] = class_json(records);
  return dump(json);
}

}  // namespace

View run_view(const std::filesystem::path& path, bool with_json) {
  const RunFolder folder(path);
  const std::optional<Manifest> manifest = folder.manifest();
  const Json run = read_run_json(path);
  if (!manifest && run.is_null()) {
    throw InputError(concat(path.string(),
                            ": expected a run folder with manifest.json or run.json, found ",
                            describe_missing_run(path)));
  }
  folder.check_newest();
  const RunRecords records = read_run_records(folder);
  const auto& [tasks, accuracy, others] = records;
  std::vector<double> alphas;
  for (const TaskSummary& task : tasks) {
    if (const auto alpha = task.record.merge.alpha()) alphas.push_back(*alpha);
  }
  if (alphas.size() != tasks.size()) alphas.clear();

  const Json config =
      tasks.empty() ? (run.is_null() ? Json::object() : run.value("config", Json::object()))
                    : Json::parse(tasks.back().record.config, nullptr, /*allow_exceptions=*/false);
  const bool task_given = is_task_given(config);
  View view{.text = concat("run ", path.string(), ", ", counted(tasks.size(), "task"), " done\n  ",
                           highlights(config), "\n"),
            .json = with_json ? run_json(folder, manifest, run, config, records, alphas) : ""};
  if (run.is_null()) view.text += "  run.json is missing: how the run began is not known\n";
  if (tasks.empty()) {
    view.text += "\n" + summary_table(accuracy, {}, kWidth);
    return view;
  }
  const TaskRecord& record = tasks.back().record;
  if (manifest->tasks_before > 0)
    view.text += concat("  continues a run of ", counted(manifest->tasks_before, "task"), "\n");
  view.text += concat("  backbone ", record.backbone_name, " ", short_hash(record.backbone_sha256),
                      ", pack ", short_hash(record.pack_content_sha256), "\n\n",
                      task_table(tasks, task_given),
                      "this task, all so far: ", primary_title(record.metrics.after_merge), " ",
                      task_given ? "given the task, " : "", "in % before -> after the merge\n\n",
                      names_and_remarks(tasks), "\n", budget_table(tasks),
                      summary_table(accuracy, alphas, kWidth, task_given), hardest_classes(records),
                      other_summaries(others, kWidth, task_given));
  return view;
}

}  // namespace palimpsest
