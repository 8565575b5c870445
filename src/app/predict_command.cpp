#include "predict_command.h"

#include <iostream>
#include <sstream>

#include "palimpsest/comm/stop_request.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/continual/evaluation.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/output_file.h"
#include "palimpsest/kinds/options.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/report/views.h"
#include "saved_settings.h"

namespace palimpsest {
namespace {

struct PredictOptions {
  std::filesystem::path weights, out;
  std::string split = "all";
  Scores scores = Scores::kNone;
  std::int64_t top = 5;
  bool json = false;
};

Options own_options(PredictOptions& options) {
  return {option("weights WEIGHTS", options.weights,
                 "a run folder (its newest state), a state of one, or what palimpsest-merge --out "
                 "wrote"),
          option("out FILE", options.out, "the table to write: a line for each sample (CSV)"),
          option("split SPLIT", options.split, "of the pack: all (the default), train or test",
                 {.choices = {"all", "train", "test"}}),
          option("top N", options.top,
                 "how many of the likeliest classes, with their probabilities (5)",
                 {.minimum = 1, .maximum = 1'000'000}),
          option("scores WHICH", options.scores,
                 "a column for every class, too: none (the default), probabilities or logits"),
          option("json", options.json, "the report as one JSON object")};
}

void check(const PredictOptions& options) {
  if (options.weights.empty() || options.out.empty())
    throw UsageError("predict: expected --weights and --out; see palimpsest predict --help");
  check_output(options.out);
}

// On rank 0.
void report(const PredictOptions& options, const SavedWeights& saved, Session& session,
            std::vector<float> logits) {
  const Pack& pack = session.inputs.pack;
  LabelledSamples& samples = session.inputs.tasks.front().test;
  Predictions predictions{.classes = known_classes(saved),
                          .logits = std::move(logits),
                          .samples = std::move(samples.samples),
                          .targets = std::move(samples.targets),
                          .labels = {}};
  for (const std::int64_t sample : predictions.samples)
    predictions.labels.push_back(pack.classes()[static_cast<std::size_t>(pack.label(sample))]);
  write_file_atomically(options.out, csv_of_predictions(predictions, options.top, options.scores));
  EvaluationTitle title{.weights = saved.source,
                        .pack = session.config.pack,
                        .split = options.split,
                        .task_names = {},
                        .classes = saved.classes,
                        .remarks = session.inputs.remarks};
  if (!saved.post_hoc.empty()) title.remarks.push_back(saved.post_hoc);
  const View view = view_of_predictions(title, predictions);
  std::cout << (options.json ? view.json : view.text) << std::flush;
  if (!std::cout) throw Error("the report could not be written to the standard output");
}

}  // namespace

int predict(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog) {
  PredictOptions options;
  const std::vector<std::string> settings = take_options(own_options(options), arguments);
  check(options);
  const SavedWeights saved =
      group.work("reading the weights", [&] { return read_saved_weights(options.weights); });
  const RunConfig config = settings_of(saved, settings, "predict", {"pack", "backbone"});
  watchdog.set_deadline(static_cast<double>(config.hang_seconds));
  Session session = open_samples(config, saved, options.split, group, watchdog);
  std::vector<float> logits = logits_at(session, saved);
  ignore_stop_requests();
  group.work("writing the predictions", [&] {
    if (group.rank() == 0) report(options, saved, session, std::move(logits));
  });
  return static_cast<int>(ExitCode::kDone);
}

std::string predict_help() {
  PredictOptions options;
  std::ostringstream out;
  out << "palimpsest predict --weights WEIGHTS --pack PACK --out predictions.csv [settings]\n"
         "A class for every sample of a pack, over as many ranks as it is started on, with the "
         "same numbers at\nevery one; and a report by class where the weights know the pack's "
         "classes: by the labels that the\nprotocol gives them, the run's or --protocol, or by "
         "their names (of domains: DOMAIN/LABEL). What is not\nknown is named and not scored. "
         "Settings are those that were recorded.\n\n"
         "Example: palimpsest predict --weights runs/mine --pack data/new.h5 --out "
         "predictions.csv\n"
         "Exit codes: palimpsest --help lists them.\n\n"
      << "Of the predictions:\n"
      << options_help(own_options(options)) << '\n'
      << settings_of_verb_help(all_settings(), "predict");
  return out.str();
}

std::string predict_completion() {
  PredictOptions options;
  return completion_lines("palimpsest predict", own_options(options));
}

}  // namespace palimpsest
