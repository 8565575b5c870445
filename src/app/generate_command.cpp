// palimpsest generate: what a decoder with saved weights writes after the prompts of a pack.
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "palimpsest/comm/stop_request.h"
#include "palimpsest/continual/saved_evaluation.h"
#include "palimpsest/continual/saved_weights.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/evaluate/generation.h"
#include "palimpsest/format/output_file.h"
#include "palimpsest/kinds/options.h"
#include "palimpsest/method/settings.h"
#include "saved_settings.h"

namespace palimpsest {
namespace {

struct GenerateOptions {
  std::filesystem::path weights, out;
  std::string split = "test";
  std::int64_t limit = 0;
};

Options generate_options(GenerateOptions& options) {
  return {option("weights WEIGHTS", options.weights, kWeightsHelp),
          option("out FILE", options.out,
                 "the JSON Lines file to write: for each sample the generated tokens and those of "
                 "its completion"),
          option("split SPLIT", options.split, "of the pack: test (the default), train or all",
                 {.choices = {"test", "train", "all"}}),
          option("limit N", options.limit,
                 "most tokens to generate for a prompt (as many as the longest completion)",
                 {.minimum = 1, .maximum = 1'000'000})};
}

// A mean over samples, by class of the pack.
struct Means {
  std::int64_t samples = 0, exact = 0;
  double rouge = 0;
};

// On rank 0.
void report(const GenerateOptions& options, const Session& session, const SavedWeights& saved,
            const SamplesToContinue& given, const std::vector<TokenIds>& written) {
  const Pack& pack = session.inputs.pack;
  const std::vector<std::int64_t>& samples = session.inputs.tasks.front().test.samples;
  std::string lines;
  std::vector<Means> means(pack.classes().size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto label = static_cast<std::size_t>(pack.label(samples[i]));
    const bool is_exact = written[i] == given.completions[i];
    const double rouge = rouge_l(given.completions[i], written[i], given.limits);
    lines += nlohmann::ordered_json{{"sample", samples[i]},
                                    {"class", pack.classes()[label]},
                                    {"tokens", written[i]},
                                    {"completion", given.completions[i]},
                                    {"ended", has_end(written[i], given.limits)},
                                    {"exact_match", is_exact},
                                    {"rouge_l", rouge}}
                 .dump() +
             "\n";
    Means& of_class = means[label];
    ++of_class.samples;
    of_class.exact += is_exact ? 1 : 0;
    of_class.rouge += rouge;
  }
  write_file_atomically(options.out, lines);
  Rows rows = {{"class", "samples", "exact match in %", "ROUGE-L in %"}};
  for (std::size_t c = 0; c < means.size(); ++c) {
    if (means[c].samples == 0) continue;
    const auto count = static_cast<double>(means[c].samples);
    rows.push_back({pack.classes()[c], grouped(means[c].samples),
                    percent(static_cast<double>(means[c].exact) / count),
                    percent(means[c].rouge / count)});
  }
  std::cout << saved.source << ", on the " << options.split << " samples of "
            << pack.path().string() << "\n\n"
            << text_table(rows, "lrrr") << "\n"
            << options.out.string() << " has the tokens\n"
            << std::flush;
  if (!std::cout) throw Error("the table could not be written to the standard output");
}

}  // namespace

int generate(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog) {
  GenerateOptions options;
  const std::vector<std::string> settings =
      take_own_options(all_settings(), generate_options(options), arguments, "generate");
  if (options.weights.empty() || options.out.empty())
    throw UsageError(
        "generate: expected --weights and --out, or --weights and --prompt; see palimpsest "
        "generate --help");
  check_text_output(options.out, "{\"sample\":");
  const SavedWeights saved = group.work("reading the weights", [&] {
    return read_saved_weights(options.weights, group.rank() == 0);
  });
  const RunConfig config = evaluation_settings(saved, settings, "generate", {"pack", "backbone"});
  watchdog.set_deadline(static_cast<double>(config.hang_seconds));
  Session session = open_prompts(config, saved, options.split, group, watchdog);
  SamplesToContinue given =
      samples_to_continue(session.inputs.pack, session.tasks().front().test.samples);
  if (options.limit > 0) given.limits.tokens = options.limit;
  const std::vector<TokenIds> written = generate_at(session, saved, given.prompts, given.limits);
  ignore_stop_requests();
  group.work("writing what was generated", [&] {
    if (group.rank() == 0) report(options, session, saved, given, written);
  });
  return static_cast<int>(ExitCode::kDone);
}

std::string generate_help() {
  GenerateOptions options;
  return concat(
      "Usage: palimpsest generate --weights WEIGHTS --prompt TEXT [--limit N]\n"
      "       palimpsest generate --weights WEIGHTS --out completions.jsonl [--pack PACK] "
      "[settings]\n"
      "\n"
      "Writes what a decoder answers, by greedy decoding. With --prompt or --prompts it answers "
      "these texts, on\n"
      "one rank. Otherwise it answers the prompts of a pack of sequences, the run's or --pack; any "
      "number of\n"
      "ranks gives the same tokens. The prompt of a sample is everything before its last "
      "completion. Generation\n"
      "stops at the token with which most completions of the pack end.\n"
      "\n"
      "Examples:\n"
      "  palimpsest generate --weights runs/mine --prompt \"What is 3 + 4?\"\n"
      "  palimpsest generate --weights runs/mine --out completions.jsonl\n"
      "Exit codes: palimpsest --help lists them.\n"
      "\n"
      "For prompts:\n"
      "  --prompt TEXT       a prompt; may be given several times\n"
      "  --prompts FILE      a file of prompts in UTF-8, one a line\n"
      "  --template WHICH    chat (the default): a prompt is a user's message in the tokenizer's "
      "chat template;\n"
      "                      none: prompts as they are\n"
      "  --tokenizer PATH    a tokenizer.json, or its folder (the backbone's folder)\n"
      "  --json              one JSON object instead of text\n"
      "\n",
      "For prompts and packs:\n", options_help(generate_options(options)), '\n',
      verb_settings_help(all_settings(), "generate"));
}

std::string generate_completion() {
  GenerateOptions options;
  return completion_lines("palimpsest generate", generate_options(options));
}

}  // namespace palimpsest
