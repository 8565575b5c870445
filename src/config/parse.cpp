// Defaults, then the .cfg file, then the command line; what is missing or contradicts itself is
// refused.
#include <algorithm>
#include <boost/program_options.hpp>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

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

po::options_description known_options(const KeyTable& table) {
  po::options_description known;
  known.add_options()("config", po::value<std::string>());
  for (const Key& key : table.keys) {
    auto* const value = po::value<std::string>();
    if (is_switch(key)) value->implicit_value("true");
    known.add_options()(std::string(key.name).c_str(), value);
  }
  return known;
}

[[noreturn]] void refuse_unknown(const KeyTable& table, std::string_view name,
                                 const std::string& source) {
  std::vector<std::string_view> names = {"config"};
  for (const Key& key : table.keys) names.push_back(key.name);
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
std::vector<Setting> settings_of(const KeyTable& table, const po::parsed_options& parsed,
                                 const std::string& source) {
  std::vector<Setting> settings;
  std::set<std::string> seen;
  for (const po::option& option : parsed.options) {
    const std::string value = option.value.empty() ? "true" : option.value.front();
    if (option.position_key >= 0) {
      // "--head-refit false": the parser takes a switch's value only after "=".
      const Key* const before = settings.empty() ? nullptr : find_key(table, settings.back().key);
      const bool is_value = before && is_switch(*before) && (value == "true" || value == "false");
      if (!is_value) {
        throw UsageError(concat(source, ": '", value, "' stands alone; settings are written ",
                                "--name value or --name=value"));
      }
      settings.back().value = value;
      continue;
    }
    if (option.unregistered) refuse_unknown(table, option.string_key, source);
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

std::vector<Setting> read_command_line(const KeyTable& table,
                                       std::span<const std::string> arguments) {
  using namespace po::command_line_style;
  const std::string source = "command line";
  const po::options_description known = known_options(table);
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
    return settings_of(table, parsed, source);
  } catch (const po::error& error) {
    throw UsageError(concat(source, ": ", error.what()));
  }
}

std::vector<Setting> read_config_file(const KeyTable& table, const std::string& path) {
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
    if (find_key(table, line.name) == nullptr)
      refuse_unknown(table, line.name, concat(source, ": line ", line.number));
    settings.push_back({line.name, line.value});
  }
  return settings;
}

void apply(const KeyTable& table, const std::vector<Setting>& settings, const std::string& source,
           RunConfig& config) {
  for (const Setting& setting : settings) {
    const Key* const key = find_key(table, setting.key);
    if (key == nullptr) refuse_unknown(table, setting.key, source);
    try {
      set_value(config, *key, setting.value);
    } catch (const UsageError& error) {
      throw UsageError(concat(source, ": ", error.what()));
    }
  }
}

// Throws UsageError where a setting is given that the verb has no use for.
void check_taken(const KeyTable& table, const std::vector<Setting>& flags, std::string_view verb) {
  for (const Setting& flag : flags) {
    const Key* const key = find_key(table, flag.key);
    if (key == nullptr || is_taken_by(*key, verb)) continue;
    throw UsageError(concat("command line: --", flag.key, " has no meaning in palimpsest ", verb,
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

const Key* find_key(const KeyTable& table, std::string_view name) {
  for (const Key& key : table.keys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

bool is_taken_by(const Key& key, std::string_view verb) {
  return verb == "train" || std::ranges::find(key.verbs, verb) != key.verbs.end();
}

RunConfig parse_settings(const KeyTable& table, std::span<const std::string> arguments,
                         const RunConfig& defaults, std::string_view verb) {
  std::vector<Setting> flags = read_command_line(table, arguments);
  check_taken(table, flags, verb);
  RunConfig config = defaults;
  const auto file = std::find_if(flags.begin(), flags.end(),
                                 [](const Setting& setting) { return setting.key == "config"; });
  if (file != flags.end()) {
    std::vector<Setting> settings = read_config_file(table, file->value);
    std::erase_if(settings, [&](const Setting& setting) {
      const Key* const key = find_key(table, setting.key);
      return key != nullptr && !is_taken_by(*key, verb);
    });
    apply(table, settings, concat("configuration ", file->value), config);
    flags.erase(file);
  }
  apply(table, flags, "command line", config);
  if (table.check) table.check(config);
  return config;
}

RunConfig parse_run_config(const KeyTable& table, std::span<const std::string> arguments,
                           std::string_view verb) {
  const RunConfig config = parse_settings(table, arguments, {}, verb);
  if (table.check_training) table.check_training(config);
  check_complete(table, config);
  return config;
}

}  // namespace palimpsest
