// A run beside others: between its bounds, or among its repetitions.
#include <algorithm>
#include <map>

#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/metrics/stream_metrics.h"
#include "palimpsest/report/views.h"
#include "view_parts.h"

namespace palimpsest {
namespace {

Json last_config(const RunRecords& run) {
  return recorded_settings(run.tasks.back().record.config);
}

// What the run's scenario measures it by.
AccuracyMatrix scenario_accuracy(const RunRecords& run, const AccuracyMatrix& accuracy) {
  return is_task_given(last_config(run)) ? given_task(accuracy) : accuracy;
}

bool is_frozen(const RunRecords& run) {
  const Json config = last_config(run);
  return config.is_object() && config.value("adapter", "").starts_with("none");
}

bool has_domains(const RunRecords& run) {
  const Json config = last_config(run);
  return config.is_object() && shares_head(config.value("scenario", ""));
}

// Accuracy on each of the run's domains, which have the same labels: by their names. Throws
// InputError.
std::vector<double> accuracy_by_domain(const RunRecords& run, const RunRecords& bound) {
  const EvaluationRow row = bound.accuracy.row(bound.accuracy.tasks() - 1);
  const auto recorded_name = [](const TaskSummary& task) { return task.record.name; };
  std::vector<double> accuracies;
  for (const TaskSummary& task : run.tasks) {
    const auto found = std::ranges::find(bound.tasks, task.record.name, recorded_name);
    const auto place = static_cast<std::size_t>(found - bound.tasks.begin());
    if (std::ranges::count(bound.tasks, task.record.name, recorded_name) != 1 ||
        row.samples[place] == 0) {
      throw InputError(
          concat("expected a run that has one task named '", task.record.name,
                 "' and tested it: names distinguish domains with the same labels, and "
                 "a joint run has no counts by domain"));
    }
    accuracies.push_back(row.accuracy(place));
  }
  return accuracies;
}

// from_below: of a frozen backbone, which the run must then have had. Throws InputError.
std::vector<double> joint_accuracies(const RunRecords& run, const std::filesystem::path& folder,
                                     bool from_below) {
  if (folder.empty()) return {};
  const RunRecords bound = read_finished(folder);
  if (from_below && !is_frozen(bound)) {
    throw InputError(concat(folder.string(),
                            ": expected a run with --adapter none, found another: it is no bound "
                            "from below"));
  }
  EvaluationRow row = bound.accuracy.row(bound.accuracy.tasks() - 1);
  if (is_task_given(last_config(run))) {
    if (bound.classes() != run.classes()) {
      throw InputError(concat(
          folder.string(),
          ": expected a run of the same tasks, found other tasks: the run that it ",
          "is to bound is task-incremental, and of classes in other tasks a record has only what ",
          "was correct among all classes, not given the task"));
    }
    row = given_task(row);
  }
  try {
    if (has_domains(run)) return accuracy_by_domain(run, bound);
    return accuracy_by_class(run.classes(), bound.classes(), row);
  } catch (const InputError& error) {
    throw InputError(concat(folder.string(), ": ", error.what()));
  }
}

std::string points(double share) { return (share >= 0 ? "+" : "") + percent(share); }

std::string points_or_dash(const std::optional<double>& share) {
  return share ? points(*share) : "-";
}

// The settings that are not the same in all runs; "" when they are.
std::string differing_settings(const std::vector<RunRecords>& runs) {
  std::map<std::string, std::vector<std::string>> values;
  for (const RunRecords& run : runs) {
    const Json config = last_config(run);
    for (const auto& [name, value] : config.items()) values[name].push_back(value.dump());
  }
  std::vector<std::string> differing;
  for (const auto& [name, found] : values) {
    const bool same =
        found.size() == runs.size() && std::ranges::count(found, found[0]) == std::ssize(found);
    if (!same) differing.push_back(name);
  }
  return join(differing);
}

}  // namespace

View decomposition_view(const std::filesystem::path& folder,
                        const std::filesystem::path& frozen_run,
                        const std::filesystem::path& joint_run) {
  const RunRecords run = read_finished(folder);
  const std::vector<double> frozen = joint_accuracies(run, frozen_run, /*from_below=*/true);
  const std::vector<double> joint = joint_accuracies(run, joint_run, /*from_below=*/false);
  const bool task_given = is_task_given(last_config(run));
  const AccuracyMatrix accuracy = scenario_accuracy(run, run.accuracy);
  const std::vector<TaskDecomposition> tasks = decompose(accuracy, frozen, joint);
  Rows rows = {{"task", "frozen", "accuracy", "joint", "placed", "given the task", "confusion",
                "learned", "merge cost"}};
  Json json = {{"type", "decomposition"},       {"folder", folder.string()},
               {"frozen", frozen_run.string()}, {"joint", joint_run.string()},
               {"task_given", task_given},      {"tasks", Json::array()}};
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const TaskDecomposition& task = tasks[t];
    rows.push_back(
        {std::to_string(t + 1), percent(task.frozen), percent(task.accuracy), percent(task.joint),
         fixed(task.placed, 2), percent(task.given_task), points_or_dash(task.task_confusion),
         before_and_after(task.plasticity_before, task.plasticity), points(task.merge_cost)});
    json["tasks"].push_back({{"task", t},
                             {"accuracy", number_or_null(task.accuracy)},
                             {"given_task", number_or_null(task.given_task)},
                             {"task_confusion", number_or_null(task.task_confusion)},
                             {"plasticity_before_merge", task.plasticity_before},
                             {"plasticity", task.plasticity},
                             {"merge_cost", task.merge_cost},
                             {"frozen", number_or_null(task.frozen)},
                             {"joint", number_or_null(task.joint)},
                             {"placed", number_or_null(task.placed)}});
  }
  std::string text = concat(
      "where the accuracy of ", folder.string(), " on each of its tasks is lost (%)\n\n",
      text_table(rows, std::string(rows[0].size(), 'r')), "\n",
      wrap("accuracy, given the task: after the last task, among all classes seen and among the "
           "task's own; confusion: their difference. learned: right after the task, before -> "
           "after its merge; merge cost: their difference. frozen, joint: the same classes in the "
           "runs that bound it; placed: 0 at the frozen bound, 1 at the joint one.",
           kWidth, 0, 0),
      "\n", task_given ? "The run is task-incremental: every accuracy is given the task.\n" : "");
  if (!joint.empty()) {
    const double missed = intransigence(accuracy, joint);
    json["intransigence"] = missed;
    text += concat("intransigence (joint accuracy minus accuracy when learned, mean over tasks): ",
                   percent(missed), " points\n");
  }
  return {std::move(text), dump(json)};
}

namespace {

// Of one classifier: every number that is defined in all of the runs.
struct Repetitions {
  Rows rows = {{"", "mean", "deviation"}};
  Json metrics = Json::object();
};

Repetitions repeated(const std::vector<AccuracyMatrix>& runs) {
  Repetitions repetitions;
  std::map<std::string, std::vector<double>> values;
  for (const AccuracyMatrix& run : runs) {
    for (const auto& [name, value, unit] : stream_metrics(run))
      if (value) values[name].push_back(*value);
  }
  for (const auto& [name, unused, unit] : stream_metrics(runs.front())) {
    const auto found = values.find(name);
    if (found == values.end() || found->second.size() != runs.size()) continue;
    const Spread over = spread(found->second);
    repetitions.metrics[name] = {{"mean", over.mean},
                                 {"deviation", number_or_null(over.deviation)}};
    const bool is_share = unit == Unit::kShare;
    const auto shown = [&](double value) { return is_share ? percent(value, 2) : fixed(value, 2); };
    repetitions.rows.push_back({name, shown(over.mean),
                                over.deviation ? shown(*over.deviation) : "-",
                                is_share              ? "%"
                                : unit == Unit::kNats ? "nats"
                                                      : ""});
  }
  return repetitions;
}

// By one of the runs' other classifiers; empty where one of the runs hasn't it.
std::vector<AccuracyMatrix> accuracies_by(const std::string& classifier,
                                          const std::vector<RunRecords>& runs) {
  std::vector<AccuracyMatrix> accuracies;
  for (const RunRecords& run : runs) {
    const auto found = std::ranges::find(run.others, classifier, &OtherAccuracy::classifier);
    if (found == run.others.end()) return {};
    accuracies.push_back(scenario_accuracy(run, found->accuracy));
  }
  return accuracies;
}

}  // namespace

View repetitions_view(std::span<const std::filesystem::path> folders) {
  std::vector<RunRecords> runs;
  std::vector<AccuracyMatrix> own;
  for (const std::filesystem::path& folder : folders) {
    runs.push_back(read_finished(folder));
    if (runs.back().tasks.size() != runs.front().tasks.size()) {
      throw InputError(concat(folder.string(), " has finished ", runs.back().tasks.size(),
                              " tasks, ", folders.front().string(), " ", runs.front().tasks.size(),
                              ": expected runs of the same tasks"));
    }
    own.push_back(scenario_accuracy(runs.back(), runs.back().accuracy));
  }
  const std::string differing = differing_settings(runs);
  const Repetitions of_own = repeated(own);
  Json json = {{"type", "repetitions"},
               {"folders", Json::array()},
               {"settings_that_differ", differing},
               {"metrics", of_own.metrics},
               {"others", Json::array()}};
  for (const std::filesystem::path& folder : folders) json["folders"].push_back(folder.string());
  std::string text =
      concat(runs.size(), " runs; settings that differ: ", differing.empty() ? "none" : differing,
             "\n\n", text_table(of_own.rows, "lrrl"));
  for (const OtherAccuracy& other : runs.front().others) {
    const std::vector<AccuracyMatrix> accuracies = accuracies_by(other.classifier, runs);
    if (accuracies.empty()) continue;
    const Repetitions repetitions = repeated(accuracies);
    text += concat("\nby ", other.classifier, "\n", text_table(repetitions.rows, "lrrl"));
    json["others"].push_back({{"classifier", other.classifier}, {"metrics", repetitions.metrics}});
  }
  text += "\ndeviation: of the sample, with n - 1 for n runs\n";
  if (const auto untested = std::ranges::count_if(own, has_untested); untested > 0) {
    text += wrap(concat("In ", untested, " of ", runs.size(),
                        " runs some tasks were not tested after every task (--evaluate, or their "
                        "data isn't available): forgetting is over fewer tests there, and may be "
                        "less; numbers that one of the runs doesn't have are left out."),
                 kWidth, 0, 0) +
            "\n";
  }
  return {std::move(text), dump(json)};
}

}  // namespace palimpsest
