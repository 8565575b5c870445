// Defaults, then the .cfg files, then the command line; what is missing or contradicts itself is
// refused.
#include <algorithm>
#include <cctype>
#include <filesystem>

#include "given.h"
#include "other_programs.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr std::string_view kCommandLine = "command line";

// own: options of the verb that are no settings.
[[noreturn]] void refuse_unknown(const KeyTable& table, const Given& given, std::string_view verb,
                                 const Options& own = {}) {
  std::string usual;  // as names are spelled
  for (const char letter : given.name) {
    usual +=
        letter == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  usual.erase(0, std::min(usual.find_first_not_of('-'), usual.size()));
  const bool is_flag = given.source == kCommandLine;
  const auto value = given.value.empty() ? std::nullopt : std::optional(given.value);
  if (const auto today = todays_spelling(usual, value)) {
    const std::string flag = is_flag ? "--" : "";
    throw UsageError(concat(
        given.source, ": ", flag, given.name, " is the setting of an earlier version. Write ", flag,
        today->setting, is_flag ? " " : " = ", today->value,
        today->value.find(':') == std::string::npos
            ? ""
            : ", and put the other keys that you need into the same value",
        is_flag ? "" : ". palimpsest train --config FILE --print-config converts the whole file"));
  }
  std::vector<std::string_view> names = {"config"};
  for (const Option& option : own) names.push_back(option.name);
  for (const Key& key : table.keys)
    if (is_taken_by(key, verb)) names.push_back(key.name);
  const bool is_spelled_otherwise = std::ranges::find(names, usual) != names.end();
  const Key* const batch = find_key(table, "batch");
  const auto here = setting_of_other_programs(usual, batch == nullptr || is_taken_by(*batch, verb));
  if (here && !is_spelled_otherwise)
    throw UsageError(concat(given.source, ": unknown setting '", given.name, "': ", *here));
  const std::string help =
      concat("palimpsest ", verb, " --help", verb == "train" ? " all" : "", " lists them all");
  throw UsageError(concat(given.source, ": unknown setting '", given.name, "'; ",
                          name_hint(usual, names, help)));
}

// read_value(), with the source of what is refused.
SettingValue read_given(const SettingSpec& row, const Given& given) {
  try {
    return read_value(row, given.value);
  } catch (const UsageError& error) {
    if (const auto here = value_of_other_programs(row, given.value))
      throw UsageError(concat(given.source, ": ", row.name, " = ", given.value, ": ", *here));
    throw UsageError(concat(given.source, ": ", error.what()));
  }
}

void apply(const KeyTable& table, const std::vector<Given>& all, std::string_view verb,
           RunConfig& config) {
  for (const Given& given : all) {
    const Key* const key = find_key(table, given.name);
    if (key == nullptr) refuse_unknown(table, given, verb);
    key->field.set(config, read_given(*key, given));
  }
}

// A file in the spelling of an earlier version, in today's. Returns what it leaves out. Every line
// must be right by itself, also one that another replaces or leaves without a meaning.
std::vector<std::string> convert(const KeyTable& table, std::vector<Given>& all,
                                 std::string_view verb) {
  std::vector<Given> lines = all;
  for (Given& line : lines) {
    if (const auto today = todays_spelling(line.name, line.value))
      line = {today->setting, today->value, line.file, line.source};
  }
  RunConfig unused;
  apply(table, lines, verb, unused);
  auto converted = convert_old_settings(all);
  if (!converted) return {};
  all = std::move(converted->settings);
  return std::move(converted->left_out);
}

// Throws UsageError where a setting is given that the verb has no use for.
void check_taken(const KeyTable& table, const std::vector<Given>& flags, std::string_view verb) {
  for (const Given& flag : flags) {
    const Key* const key = find_key(table, flag.name);
    if (key == nullptr || is_taken_by(*key, verb)) continue;
    throw UsageError(concat(flag.source, ": --", flag.name, " has no meaning in palimpsest ", verb,
                            ": it is a setting of palimpsest train. Leave it out; palimpsest ",
                            verb, " --help lists those that it takes"));
  }
}

void check_complete(const KeyTable& table, const RunConfig& config) {
  std::string missing;
  for (const char* const name : {"pack", "protocol", "backbone", "out"}) {
    const Key* const key = find_key(table, name);
    if (key != nullptr && value_text(config, *key).empty()) missing += concat(" --", name);
  }
  if (!missing.empty()) {
    throw UsageError(concat("missing settings:", missing,
                            "; give them in the --config file or on the command line"));
  }
}

[[noreturn]] void refuse_word(const KeyTable& table, std::string_view word, std::string_view next,
                              std::string_view verb, const Options& own) {
  if (!word.starts_with("--") || word.size() == 2) {
    const bool takes_weights = std::ranges::find(own, "weights", &Option::name) != own.end() &&
                               (std::filesystem::is_directory(word) || word.ends_with(".h5"));
    const std::string_view missing = word.ends_with(".cfg") ? "--config"
                                     : takes_weights        ? "--weights"
                                                            : "";
    if (word == "-n" || word == "-np")
      throw UsageError(concat(kCommandLine, ": '", word,
                              "' is for mpirun: launch/mpirun.sh -n N palimpsest ", verb, " ..."));
    throw UsageError(concat(kCommandLine, ": '", word, "' is no setting; ",
                            missing.empty()
                                ? std::string("settings are written --name value or --name=value")
                                : concat("did you mean ", missing, ' ', word, '?')));
  }
  const std::size_t equals = std::min(word.find('='), word.size());
  std::string value(word.substr(std::min(equals + 1, word.size())));
  if (equals == word.size() && !next.starts_with("--")) value = next;
  refuse_unknown(table,
                 {std::string(word.substr(2, equals - 2)), value, "", std::string(kCommandLine)},
                 verb, own);
}

// Of --name value, --name=value, or --name alone for a switch.
std::vector<Given> read_command_line(const KeyTable& table, std::span<const std::string> arguments,
                                     std::string_view verb, const Options& own = {}) {
  const auto refuse = [](const auto&... reason) {
    throw UsageError(concat(kCommandLine, ": ", reason...));
  };
  const std::vector<std::string> words = with_home_folders({arguments.begin(), arguments.end()});
  std::vector<Given> all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::string next = i + 1 < words.size() ? words[i + 1] : "--";
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string name = word.starts_with("--") ? word.substr(2, equals - 2) : "";
    const Key* const key = find_key(table, name);
    if (key == nullptr && name != "config") refuse_word(table, word, next, verb, own);
    if (std::ranges::find(all, name, &Given::name) != all.end())
      refuse("'", name, "' is given twice; keep one");
    Given& given = all.emplace_back(Given{name, "", "", std::string(kCommandLine)});
    if (equals != word.size()) {
      given.value = word.substr(equals + 1);
    } else if (!next.starts_with("--")) {
      given.value = words[++i];
    } else if (key != nullptr && key->type == Type::kSwitch) {
      given.value = "true";
    } else {
      if (i + 1 == words.size()) refuse("expected a value of '--", name, "', found none");
      refuse("expected a value of --", name, ", found ", next);
    }
  }
  return all;
}

}  // namespace

const Key* find_key(const KeyTable& table, std::string_view name) {
  const auto found = std::ranges::find(table.keys, name, &Key::name);
  return found == table.keys.end() ? nullptr : &*found;
}

bool is_taken_by(const Key& key, std::string_view verb) {
  return verb == "train" || std::ranges::find(key.verbs, verb) != key.verbs.end();
}

void set_value(RunConfig& config, const Key& key, std::string_view text) {
  key.field.set(config, read_value(key, text));
}

std::vector<std::string> take_own_options(const KeyTable& table, const Options& own,
                                          std::span<const std::string> arguments,
                                          std::string_view verb) {
  std::vector<std::string> settings = take_options(own, arguments);
  check_taken(table, read_command_line(table, settings, verb, own), verb);
  return settings;
}

RunConfig parse_settings(const KeyTable& table, std::span<const std::string> arguments,
                         const RunConfig& defaults, std::string_view verb,
                         std::vector<std::string>* left_out) {
  std::vector<Given> flags = read_command_line(table, arguments, verb);
  check_taken(table, flags, verb);
  RunConfig config = defaults;
  const auto file = std::ranges::find(flags, "config", &Given::name);
  if (file != flags.end()) {
    std::vector<Given> settings = read_config_files(file->value);
    start_paths_at_files(table, settings, flags, verb);
    if (left_out != nullptr) *left_out = convert(table, settings, verb);
    std::erase_if(settings, [&](const Given& given) {
      const Key* const key = find_key(table, given.name);
      return key != nullptr && !is_taken_by(*key, verb);
    });
    apply(table, settings, verb, config);
    flags.erase(file);
  }
  apply(table, flags, verb, config);
  if (table.check) table.check(config);
  return config;
}

RunConfig parse_run_config(const KeyTable& table, std::span<const std::string> arguments,
                           std::string_view verb, std::vector<std::string>* left_out) {
  const RunConfig config = parse_settings(table, arguments, {}, verb, left_out);
  if (table.check_training) table.check_training(config);
  check_complete(table, config);
  return config;
}

}  // namespace palimpsest
