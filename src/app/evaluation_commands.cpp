// palimpsest eval and palimpsest predict: saved weights on samples.
#include <filesystem>
#include <initializer_list>
#include <iostream>

#include "commands.h"
#include "palimpsest/comm/stop_request.h"
#include "palimpsest/continual/other_rules.h"
#include "palimpsest/continual/saved_evaluation.h"
#include "palimpsest/continual/saved_weights.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/output_file.h"
#include "palimpsest/kinds/kind_settings.h"
#include "palimpsest/kinds/options.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/report/views.h"
#include "saved_settings.h"

namespace palimpsest {
namespace {

struct EvalOptions {
  std::filesystem::path weights, sweep, out, csv;
  std::string split, rules;
  std::int64_t points = 21;
  bool json = false;
};

Options eval_options(EvalOptions& options) {
  return {option("weights WEIGHTS", options.weights, kWeightsHelp),
          option("rule RULE,...", options.rules,
                 "of a run folder: merge its tasks again by each rule, and compare with the run's "
                 "own merges",
                 {.kinds = &merge_rules(), .takes_several = true}),
          option("sweep RUN", options.sweep,
                 "of a run folder: evaluate its newest merge at many alphas"),
          option("split SPLIT", options.split,
                 "test (the default), validation (of runs with --validation) or train; the default "
                 "of a sweep is validation",
                 {.choices = {"test", "validation", "train"}}),
          option("points N", options.points, "of a sweep, from 0 to 1 (21)",
                 {.minimum = 2, .maximum = 10'000}),
          option("json", options.json, "one JSON object instead of tables"),
          option("out FILE", options.out, "write the JSON object into this file, too"),
          option("csv FILE", options.csv, "of a sweep: write its table as CSV")};
}

struct PredictOptions {
  std::filesystem::path weights, out;
  std::string split = "all";
  Scores scores = Scores::kNone;
  std::int64_t top = 5;
  bool json = false;
};

Options predict_options(PredictOptions& options) {
  return {option("weights WEIGHTS", options.weights, kWeightsHelp),
          option("out FILE", options.out, "the CSV file to write, a line for each sample"),
          option("split SPLIT", options.split, "of the pack: all (the default), train or test",
                 {.choices = {"all", "train", "test"}}),
          option("top N", options.top,
                 "how many of the likeliest classes to write, with their probabilities (5)",
                 {.minimum = 1, .maximum = 1'000'000}),
          option("scores WHICH", options.scores,
                 "add a column for every class: none (the default), probabilities or logits"),
          option("json", options.json, "the report as one JSON object")};
}

EvaluationTitle make_title(const Session& session, const SavedWeights& saved,
                           const std::string& split) {
  EvaluationTitle title{.weights = saved.source,
                        .pack = session.config.pack,
                        .split = split,
                        .task_names = {},
                        .classes = saved.classes,
                        .classifiers = kinds_in(session.config.classifier),
                        .is_task_given = session.config.scenario == Scenario::kTaskIncremental,
                        .remarks = session.inputs.remarks};
  if (!saved.post_hoc.empty()) title.remarks.push_back(saved.post_hoc);
  return title;
}

[[noreturn]] void refuse_test_sweep(const std::filesystem::path& run) {
  throw UsageError(concat(
      run.string(),
      " has no validation samples: it was trained with --validation 0. Alpha may not be chosen on "
      "test samples. Train with --validation 0.1, or look at the curve with --split test"));
}

void check(const EvalOptions& options) {
  if (options.weights.empty() == options.sweep.empty()) {
    throw UsageError("eval: expected either --weights or --sweep; see palimpsest eval --help");
  }
  if (!options.sweep.empty() && options.split == "train") {
    throw UsageError(
        "--sweep --split train: training samples don't show which merge is good; give validation "
        "or test");
  }
  if (!options.sweep.empty() && !std::filesystem::is_directory(options.sweep))
    throw UsageError(concat("--sweep ", options.sweep.string(), ": expected a run folder"));
  if (!options.rules.empty()) parse_kinds(merge_rules(), options.rules);
  if (!options.rules.empty() && !options.sweep.empty())
    throw UsageError("expected --sweep or --rule, found both");
  if (!options.rules.empty() && !std::filesystem::is_directory(options.weights))
    throw UsageError(
        concat("--rule merges the tasks of a run again: expected a run folder after "
               "--weights, found ",
               options.weights.empty() ? "none" : options.weights.string()));
  if (!options.out.empty()) check_text_output(options.out, "{\"type\":");
  if (!options.csv.empty()) check_text_output(options.csv, "alpha,");
  if (options.sweep.empty() && !options.csv.empty())
    throw UsageError("--csv writes the table of a sweep: give --sweep, or --out for JSON");
}

// What other classifiers learned belongs to the run's own merges.
void answer_by_heads(const SavedWeights& saved, RunConfig& config) {
  if (config.classifier != saved.config.classifier)
    throw UsageError("--rule evaluates by the run's heads: leave --classifier out");
  if (!saved.memory.names("head").empty()) config.classifier = RunConfig().classifier;
}

void check(const PredictOptions& options) {
  if (options.weights.empty() || options.out.empty()) {
    throw UsageError(concat("predict: expected ", options.weights.empty() ? "--weights" : "",
                            options.weights.empty() && options.out.empty() ? " and " : "",
                            options.out.empty() ? "--out" : "", "; see palimpsest predict --help"));
  }
  check_text_output(options.out, "sample,label,");
}

// On rank 0.
void report(const PredictOptions& options, const SavedWeights& saved, Session& session,
            std::vector<std::vector<float>> logits) {
  const Pack& pack = session.inputs.pack;
  LabelledSamples& samples = session.inputs.tasks.front().test;
  Predictions predictions{.classes = known_classes(saved),
                          .logits = std::move(logits),
                          .samples = std::move(samples.samples),
                          .targets = std::move(samples.targets),
                          .labels = {}};
  for (const std::int64_t sample : predictions.samples)
    predictions.labels.push_back(pack.classes()[static_cast<std::size_t>(pack.label(sample))]);
  const EvaluationTitle title = make_title(session, saved, options.split);
  write_file_atomically(options.out,
                        predictions_csv(title, predictions, options.top, options.scores));
  const View view = predictions_view(title, predictions);
  std::cout << (options.json ? view.json : view.text) << std::flush;
  if (!std::cout) throw Error("the report could not be written to the standard output");
}

}  // namespace

int eval(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog) {
  EvalOptions options;
  const std::vector<std::string> settings =
      take_own_options(all_settings(), eval_options(options), arguments, "eval");
  check(options);
  const bool sweeps = !options.sweep.empty();
  SavedWeights saved = group.work("reading the weights", [&] {
    return read_saved_weights(sweeps ? options.sweep : options.weights, group.rank() == 0);
  });
  RunConfig config = evaluation_settings(saved, settings, "eval", {"pack", "protocol", "backbone"});
  if (!options.rules.empty()) answer_by_heads(saved, config);
  watchdog.set_deadline(static_cast<double>(config.hang_seconds));
  std::string split = options.split.empty() ? "test" : options.split;
  if (sweeps && options.split.empty()) {
    if (config.validation == 0) refuse_test_sweep(options.sweep);
    split = "validation";
  }
  Session session = open_evaluation(config, saved, split, group, watchdog);
  Sweep sweep;
  std::vector<RuleEvaluation> rules;
  std::vector<EvaluationRow> rows;
  if (sweeps) {
    sweep = sweep_newest_merge(session, saved, static_cast<std::size_t>(options.points));
  } else if (!options.rules.empty()) {
    rules = evaluate_rules(session, saved, kinds_in(options.rules));
  } else {
    complete_memory(session, saved);
    rows = evaluate_saved(session, saved);
  }
  EvaluationTitle title = make_title(session, saved, split);
  for (const Task& task : session.tasks()) title.task_names.push_back(task.name);
  if (!rules.empty() && config.classifier != saved.config.classifier) {
    title.remarks.push_back(concat("by the heads as they were trained; the run itself answers by ",
                                   kinds_in(saved.config.classifier).front()));
  }
  if (sweeps && split == "test") {
    title.remarks.push_back("these are test samples: look at the curve, but choose nothing by it");
  }
  const View view = sweeps          ? sweep_view(title, sweep)
                    : rules.empty() ? evaluation_view(title, rows)
                                    : rules_view(title, rules);
  const std::string csv = sweeps ? sweep_csv(sweep) : "";
  ignore_stop_requests();
  if (group.rank() == 0) {
    if (!options.out.empty()) write_file_atomically(options.out, view.json);
    if (!options.csv.empty()) write_file_atomically(options.csv, csv);
    std::cout << (options.json ? view.json : view.text) << std::flush;
    if (!std::cout) throw Error("the result could not be written to the standard output");
  }
  return static_cast<int>(ExitCode::kDone);
}

std::string eval_help() {
  EvalOptions options;
  return concat(
      "Usage: palimpsest eval --weights WEIGHTS [--split SPLIT] [settings]\n"
      "       palimpsest eval --weights RUN --rule RULE,... [settings]\n"
      "       palimpsest eval --sweep RUN [--points 21] [settings]\n\n"
      "Evaluates saved weights: accuracy and loss by task. Any number of ranks gives the same "
      "numbers.\nSettings are those that the run recorded; its record also says where pack, "
      "protocol "
      "and backbone are.\nOnly --out and --csv write files.\n\n"
      "--classifier KIND,KIND evaluates several classifiers. One that the run didn't have learns "
      "each "
      "task\nagain, from the pack's training samples, at the merged weights after that task.\n"
      "--rule RULE,... merges the run's tasks by other rules and evaluates the heads as they were "
      "trained.\n"
      "--sweep evaluates the newest merge at many alphas, and marks the run's own alpha and the "
      "best "
      "one.\nThe first classifier answers; it learns the newest task again at each alpha. A sweep "
      "needs samples\nthat were kept out of training (palimpsest train --validation 0.1).\n\n"
      "Examples:\n  palimpsest eval --weights runs/mine\n"
      "  palimpsest eval --weights runs/mine --rule average,none\n"
      "  palimpsest eval --sweep runs/mine\n"
      "  launch/mpirun.sh -n 4 palimpsest eval --weights merged.h5 --pack data/pack.h5 "
      "--protocol p.json\n      --backbone data/minilm\n"
      "Exit codes: palimpsest --help lists them.\n\n",
      "Of the evaluation:\n", options_help(eval_options(options)), '\n',
      verb_settings_help(all_settings(), "eval"));
}

int predict(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog) {
  PredictOptions options;
  const std::vector<std::string> settings =
      take_own_options(all_settings(), predict_options(options), arguments, "predict");
  check(options);
  const SavedWeights saved = group.work("reading the weights", [&] {
    return read_saved_weights(options.weights, group.rank() == 0);
  });
  const RunConfig config = evaluation_settings(saved, settings, "predict", {"pack", "backbone"});
  watchdog.set_deadline(static_cast<double>(config.hang_seconds));
  Session session = open_samples(config, saved, options.split, group, watchdog);
  std::vector<std::vector<float>> logits = scores_at(session, saved);
  ignore_stop_requests();
  group.work("writing the predictions", [&] {
    if (group.rank() == 0) report(options, saved, session, std::move(logits));
  });
  return static_cast<int>(ExitCode::kDone);
}

std::string predict_help() {
  PredictOptions options;
  return concat(
      "Usage: palimpsest predict --weights WEIGHTS --pack PACK --out predictions.csv [settings]\n\n"
      "Predicts a class for each sample of a pack, and writes them as CSV. Any number of ranks "
      "gives "
      "the\nsame numbers. Where the weights know the pack's classes, a report by class is printed: "
      "by the labels\nof the protocol (the run's, or --protocol), or by the names of the classes "
      "(of "
      "domains: DOMAIN/LABEL).\nClasses that the weights don't know are named and not scored. "
      "Settings are those that the run recorded.\n\n"
      "Example: palimpsest predict --weights runs/mine --pack data/new.h5 --out "
      "predictions.csv\n"
      "Exit codes: palimpsest --help lists them.\n\n",
      "Of the predictions:\n", options_help(predict_options(options)), '\n',
      verb_settings_help(all_settings(), "predict"));
}

std::string eval_completion() {
  EvalOptions options;
  return completion_lines("palimpsest eval", eval_options(options));
}

std::string predict_completion() {
  PredictOptions options;
  return completion_lines("palimpsest predict", predict_options(options));
}

}  // namespace palimpsest
