// Defaults, then the .cfg file, then the command line; what is missing or contradicts itself is
// refused.
#include <algorithm>
#include <boost/program_options.hpp>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "keys.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/core/cfg_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/home_folder.h"
#include "palimpsest/core/nearest_name.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

namespace po = boost::program_options;

struct Setting {
  std::string key;
  std::string value;
};

bool is_switch(const Key& key) { return std::holds_alternative<bool RunConfig::*>(key.member); }

const Key* find_key(std::string_view name) {
  for (const Key& key : key_table()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

po::options_description known_options() {
  po::options_description known;
  known.add_options()("config", po::value<std::string>());
  for (const Key& key : key_table()) {
    auto* const value = po::value<std::string>();
    if (is_switch(key)) value->implicit_value("true");
    known.add_options()(std::string(key.name).c_str(), value);
  }
  return known;
}

[[noreturn]] void refuse_unknown(std::string_view name, const std::string& source) {
  std::vector<std::string_view> names = {"config"};
  for (const Key& key : key_table()) names.push_back(key.name);
  std::string usual;  // as names are spelled here
  for (const char letter : name) {
    usual +=
        letter == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  usual.erase(0, std::min(usual.find_first_not_of('-'), usual.size()));
  throw UsageError(concat(source, ": unknown setting '", name, "'; ",
                          name_hint(usual, names, "palimpsest train --help lists them all")));
}

// One value for each setting that the source names.
std::vector<Setting> settings_of(const po::parsed_options& parsed, const std::string& source) {
  std::vector<Setting> settings;
  std::set<std::string> seen;
  for (const po::option& option : parsed.options) {
    const std::string value = option.value.empty() ? "true" : option.value.front();
    if (option.position_key >= 0) {
      // "--head-refit false": the parser takes a switch's value only after "=".
      const Key* const before = settings.empty() ? nullptr : find_key(settings.back().key);
      const bool is_value = before && is_switch(*before) && (value == "true" || value == "false");
      if (!is_value) {
        throw UsageError(concat(source, ": '", value, "' stands alone; settings are written ",
                                "--name value or --name=value"));
      }
      settings.back().value = value;
      continue;
    }
    if (option.unregistered) refuse_unknown(option.string_key, source);
    if (value.starts_with("--")) {
      throw UsageError(
          concat(source, ": expected a value of --", option.string_key, ", found ", value));
    }
    if (!seen.insert(option.string_key).second) {
      throw UsageError(concat(source, ": '", option.string_key, "' is given twice; keep one"));
    }
    settings.push_back({option.string_key, value});
  }
  return settings;
}

std::vector<Setting> read_command_line(std::span<const std::string> arguments) {
  using namespace po::command_line_style;
  const std::string source = "command line";
  const po::options_description known = known_options();
  std::vector<std::string> words;
  for (const std::string& word : with_home_folders({arguments.begin(), arguments.end()})) {
    // "--name=" is "--name ''"; the parser would refuse it.
    const bool is_empty = word.starts_with("--") && word.find('=') + 1 == word.size();
    words.push_back(is_empty ? word.substr(0, word.size() - 1) : word);
    if (is_empty) words.emplace_back();
  }
  try {
    const auto parsed = po::command_line_parser(words)
                            .options(known)
                            .style(allow_long | long_allow_adjacent | long_allow_next)
                            .allow_unregistered()
                            .run();
    return settings_of(parsed, source);
  } catch (const po::error& error) {
    throw UsageError(concat(source, ": ", error.what()));
  }
}

std::vector<Setting> read_config_file(const std::string& path) {
  const std::string source = concat("configuration ", path);
  std::ifstream file(path);
  if (!file || std::filesystem::is_directory(path))
    throw UsageError(concat(source, ": expected a file that can be read, found none"));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<Setting> settings;
  for (const CfgLine& line : parse_cfg(text, source)) {
    if (line.name == "config") {
      throw UsageError(concat(source, ": line ", line.number, ": 'config' = ", line.value,
                              ": a configuration names no other; put its lines in here"));
    }
    if (find_key(line.name) == nullptr)
      refuse_unknown(line.name, concat(source, ": line ", line.number));
    settings.push_back({line.name, line.value});
  }
  return settings;
}

void apply(const std::vector<Setting>& settings, const std::string& source, RunConfig& config) {
  for (const Setting& setting : settings) {
    const Key* const key = find_key(setting.key);
    if (key == nullptr) refuse_unknown(setting.key, source);
    try {
      set_value(config, *key, setting.value);
    } catch (const UsageError& error) {
      throw UsageError(concat(source, ": ", error.what()));
    }
  }
}

// Throws UsageError where a setting is given that the verb has no use for.
void check_taken(const std::vector<Setting>& flags, std::string_view verb) {
  for (const Setting& flag : flags) {
    const Key* const key = find_key(flag.key);
    if (key == nullptr || is_taken_by(*key, verb)) continue;
    throw UsageError(concat("command line: --", flag.key, " has no meaning in palimpsest ", verb,
                            ": it is a setting of palimpsest train. Leave it out; palimpsest ",
                            verb, " --help lists those that it takes"));
  }
}

void check_complete(const RunConfig& config) {
  std::string missing;
  for (const char* const name : {"pack", "protocol", "backbone", "out"}) {
    if (value_text(config, *find_key(name)).empty()) missing += concat(" --", name);
  }
  if (!missing.empty()) {
    throw UsageError(concat("missing settings:", missing,
                            "; give them in the --config file or on the command line"));
  }
}

void check_heads(const RunConfig& config) {
  const bool one_head = config.joint || config.scenario == "domain-incremental";
  if (config.head == "prototype" && config.adapter != "none") {
    throw UsageError(
        concat("head = prototype takes the class means of a frozen backbone as they are, but "
               "adapter = ",
               config.adapter, " would train it; set adapter, merge and perturbation to none"));
  }
  if (config.head == "prototype" && config.scenario == "domain-incremental") {
    throw UsageError(
        "head = prototype keeps one mean for each class of a task, but with scenario = "
        "domain-incremental every task brings the same classes again; set head to cosine");
  }
  if (config.head_align && config.head == "prototype") {
    throw UsageError(
        "head-align = true trains the heads, but head = prototype keeps them as class means; set "
        "head to cosine, or head-align to false");
  }
  if (config.head_align && one_head) {
    throw UsageError(concat("head-align = true aligns the heads of several tasks, but ",
                            config.joint ? "joint = true" : "scenario = domain-incremental",
                            " has one for all; set head-align to false"));
  }
}

void check_stream(const RunConfig& config) {
  if (config.joint && config.scenario == "task-incremental") {
    throw UsageError(
        "scenario = task-incremental says which task a sample is of, but joint = true makes one "
        "task of all; set scenario to class-incremental");
  }
  if (config.joint && (config.merge != "none" || config.perturbation != "none")) {
    throw UsageError(
        concat("joint = true learns all tasks as one, and leaves nothing to merge and nothing to "
               "perturb for, but perturbation = ",
               config.perturbation, " and merge = ", config.merge, "; set both to none"));
  }
  if (!config.fork.empty() && !config.continue_from.empty()) {
    throw UsageError(
        concat("--fork ", config.fork, " and --continue ", config.continue_from,
               ": a run begins from one other run; keep --fork where the protocol holds "
               "the tasks done, --continue where it holds only new ones"));
  }
  if (config.joint && !config.continue_from.empty()) {
    throw UsageError(
        "joint = true learns all tasks at once, and --continue those of another run before: leave "
        "one out");
  }
}

// Steps are this times at most kMost batches a pass.
void check_passes(const RunConfig& config) {
  const std::int64_t passes = config.epochs * config.passes_per_epoch;
  if (static_cast<double>(passes) <= kMost) return;
  throw UsageError(concat("epochs = ", config.epochs,
                          " of passes-per-epoch = ", config.passes_per_epoch, " are ", passes,
                          " passes over a task's samples; expected at most ",
                          static_cast<std::int64_t>(kMost)));
}

// Of training alone: what an earlier version trained can still be evaluated.
void check_trained_views(const RunConfig& config) {
  const bool augments_more = config.augmentation != "none" && config.augmentation != "crop-flip";
  if (config.adapter != "none" || !augments_more) return;
  throw UsageError(
      concat("adapter = none trains heads on features that are computed once, from the test view "
             "of each image, but augmentation = ",
             config.augmentation, " asks for another view in every pass; set it to none"));
}

void check_consistent(const RunConfig& config) {
  check_passes(config);
  if (config.adapter == "none" && (config.merge != "none" || config.perturbation != "none")) {
    throw UsageError(
        concat("adapter = none leaves nothing to perturb and nothing to merge, but perturbation = ",
               config.perturbation, " and merge = ", config.merge, "; set both to none"));
  }
  if (config.ewc > 0 && config.adapter == "none") {
    throw UsageError(
        "ewc > 0 needs an adapter: with adapter = none no weights are trained that could leave "
        "earlier optima; set ewc = 0");
  }
  if (config.perturbation == "uniform" && config.epsilon != RunConfig().epsilon) {
    throw UsageError(
        concat("perturbation = uniform draws its scales from [1/t, 1] and has no "
               "epsilon, but epsilon = ",
               config.epsilon, "; leave it out"));
  }
  if (config.perturbation == "gaussian" && config.precision == "bf16") {
    throw UsageError(
        "perturbation = gaussian adds small noise to the weights, most of which a bf16 sum would "
        "lose; set precision = fp32");
  }
  if (config.head_refit && config.merge == "none") {
    throw UsageError(
        "head-refit = true needs a merge: with merge = none the head was trained on the very "
        "weights that stay, and there is nothing to refit");
  }
  check_heads(config);
  check_stream(config);
}

}  // namespace

bool is_taken_by(const Key& key, std::string_view verb) {
  return verb == "train" || std::ranges::find(key.verbs, verb) != key.verbs.end();
}

RunConfig parse_settings(std::span<const std::string> arguments, const RunConfig& defaults,
                         std::string_view verb) {
  std::vector<Setting> flags = read_command_line(arguments);
  check_taken(flags, verb);
  RunConfig config = defaults;
  const auto file = std::find_if(flags.begin(), flags.end(),
                                 [](const Setting& setting) { return setting.key == "config"; });
  if (file != flags.end()) {
    std::vector<Setting> settings = read_config_file(file->value);
    std::erase_if(settings, [&](const Setting& setting) {
      const Key* const key = find_key(setting.key);
      return key != nullptr && !is_taken_by(*key, verb);
    });
    apply(settings, concat("configuration ", file->value), config);
    flags.erase(file);
  }
  apply(flags, "command line", config);
  check_consistent(config);
  return config;
}

RunConfig parse_run_config(std::span<const std::string> arguments, std::string_view verb) {
  const RunConfig config = parse_settings(arguments, {}, verb);
  check_trained_views(config);
  check_complete(config);
  return config;
}

}  // namespace palimpsest
