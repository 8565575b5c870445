// Defaults, then the .cfg files, then the command line; what is missing or contradicts itself is
// refused.
#include <algorithm>
#include <cctype>
#include <map>

#include "given.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/old_settings.h"

namespace palimpsest {
namespace {

constexpr std::string_view kCommandLine = "command line";

bool is_switch(const KeyTable& table, std::string_view name) {
  const Key* const key = find_key(table, name);
  return key != nullptr && key->type == Type::kSwitch;
}

[[noreturn]] void refuse_unknown(const KeyTable& table, const Given& given) {
  std::string usual;  // as names are spelled
  for (const char letter : given.name) {
    usual +=
        letter == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  usual.erase(0, std::min(usual.find_first_not_of('-'), usual.size()));
  const bool is_flag = given.source == kCommandLine;
  if (const auto today = todays_spelling(usual, given.value)) {
    const std::string flag = is_flag ? "--" : "";
    throw UsageError(concat(
        given.source, ": ", flag, given.name, " is now a key of ", flag, today->setting, ": ", flag,
        today->setting, is_flag ? " " : " = ", today->value,
        today->value.find(':') == std::string::npos
            ? ""
            : ". Give all its keys in one text: one that is left out has its default",
        is_flag
            ? ""
            : "; palimpsest train --config FILE --print-config writes the whole file in today's "
              "spelling"));
  }
  std::vector<std::string_view> names = {"config"};
  for (const Key& key : table.keys) names.push_back(key.name);
  throw UsageError(concat(given.source, ": unknown setting '", given.name, "'; ",
                          name_hint(usual, names, "palimpsest train --help lists them all")));
}

void apply(const KeyTable& table, const std::vector<Given>& all, RunConfig& config) {
  for (const Given& given : all) {
    const Key* const key = find_key(table, given.name);
    if (key == nullptr) refuse_unknown(table, given);
    try {
      set_value(config, *key, given.value);
    } catch (const UsageError& error) {
      throw UsageError(concat(given.source, ": ", error.what()));
    }
  }
}

// In today's spelling, where the file has another.
void convert(std::vector<Given>& all, const std::string& file) {
  std::map<std::string, std::string> settings;
  for (const Given& given : all) settings[given.name] = given.value;
  if (!convert_old_settings(settings)) return;
  all.clear();
  for (const auto& [name, value] : settings)
    all.push_back({name, value, concat("configuration ", file)});
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

}  // namespace

std::vector<Given> read_command_line(const KeyTable& table,
                                     std::span<const std::string> arguments) {
  const std::vector<std::string> words = with_home_folders({arguments.begin(), arguments.end()});
  const auto refuse = [](const auto&... reason) {
    throw UsageError(concat(kCommandLine, ": ", reason...));
  };
  std::vector<Given> all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with("--") || word.size() == 2)
      refuse("'", word, "' is no setting; settings are written --name value or --name=value");
    const std::size_t equals = std::min(word.find('='), word.size());
    const bool has_value = equals != word.size();
    Given given{word.substr(2, equals - 2), has_value ? word.substr(equals + 1) : "",
                std::string(kCommandLine)};
    const std::string* const next = i + 1 < words.size() ? &words[i + 1] : nullptr;
    if (given.name != "config" && find_key(table, given.name) == nullptr) {
      if (!has_value && next != nullptr && !next->starts_with("--")) given.value = *next;
      refuse_unknown(table, given);
    }
    if (std::ranges::find(all, given.name, &Given::name) != all.end())
      refuse("'", given.name, "' is given twice; keep one");
    if (!has_value && is_switch(table, given.name)) {
      given.value = "true";
      if (next != nullptr && !next->starts_with("--")) given.value = words[++i];
    } else if (!has_value) {
      if (next == nullptr) refuse("expected a value of '--", given.name, "', found none");
      if (next->starts_with("--")) refuse("expected a value of --", given.name, ", found ", *next);
      given.value = words[++i];
    }
    all.push_back(std::move(given));
  }
  return all;
}

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

RunConfig parse_settings(const KeyTable& table, std::span<const std::string> arguments,
                         const RunConfig& defaults, std::string_view verb, OldFiles old) {
  std::vector<Given> flags = read_command_line(table, arguments);
  check_taken(table, flags, verb);
  RunConfig config = defaults;
  const auto file = std::ranges::find(flags, "config", &Given::name);
  if (file != flags.end()) {
    std::vector<Given> settings = read_config_files(file->value);
    if (old == OldFiles::kConvert) convert(settings, file->value);
    std::erase_if(settings, [&](const Given& given) {
      const Key* const key = find_key(table, given.name);
      return key != nullptr && !is_taken_by(*key, verb);
    });
    apply(table, settings, config);
    flags.erase(file);
  }
  apply(table, flags, config);
  if (table.check) table.check(config);
  return config;
}

RunConfig parse_run_config(const KeyTable& table, std::span<const std::string> arguments,
                           std::string_view verb, OldFiles old) {
  const RunConfig config = parse_settings(table, arguments, {}, verb, old);
  if (table.check_training) table.check_training(config);
  check_complete(table, config);
  return config;
}

}  // namespace palimpsest
