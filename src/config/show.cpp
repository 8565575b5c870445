// The settings as a person or a program reads them: --print-config, --help, JSON.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sstream>

#include "palimpsest/config/key_table.h"
#include "palimpsest/core/cfg_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/kind_table.h"
#include "palimpsest/kinds/old_settings.h"

namespace palimpsest {
namespace {

using Json = nlohmann::ordered_json;

KindSettings::Keys keys_shown(bool with_operational) {
  return with_operational ? KindSettings::Keys::kAll : KindSettings::Keys::kAllButOperational;
}

// A kind with all of its keys, or without the operational ones.
SettingValue full_value(const RunConfig& config, const Key& key, bool with_operational) {
  SettingValue value = key.field.get(config);
  if (key.type != Type::kKind) return value;
  const auto full = [&](const KindSettings& kind) {
    return kind.full_text(keys_shown(with_operational));
  };
  const std::string& text = std::get<std::string>(value);
  return key.takes_several ? join(parse_kinds(*key.kinds, text), ",", full)
                           : full(parse_kind(*key.kinds, text));
}

Json json_value(const RunConfig& config, const Key& key, bool with_operational) {
  return std::visit([](const auto& value) { return Json(value); },
                    full_value(config, key, with_operational));
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string_view placeholder(Type type) {
  switch (type) {
    case Type::kText:  // is_path()
      return " PATH";
    case Type::kSwitch:
      return "";
    case Type::kWhole:
      return " N";
    case Type::kNumber:
      return " X";
    case Type::kKind:
      return " KIND";
    default:
      return " WORD";
  }
}

// The default, in few words: of a kind without its keys, which have their own lines.
std::string default_text(const Key& key) {
  const std::string value = value_text(RunConfig(), key);
  return key.type == Type::kKind ? join(kinds_in(value), ",", kind_in) : value;
}

}  // namespace

std::string value_text(const RunConfig& config, const Key& key) {
  return value_text(full_value(config, key, /*with_operational=*/true));
}

std::string print_config(const KeyTable& table, const RunConfig& given) {
  const RunConfig config = with_absolute_paths(table, given);
  std::string text;
  std::string_view group;
  for (const Key& key : table.keys) {
    if (key.group != group) text += concat(group.empty() ? "" : "\n", "# ", key.group, "\n");
    group = key.group;
    text += concat(key.name, " = ", cfg_value(value_text(config, key)), "\n");
  }
  return text;
}

namespace {

constexpr std::size_t kColumn = 26, kColumns = 100;  // of help: where texts begin, and end

std::string key_help(const KeyTable& table, const Key& key) {
  const bool is_needed = key.group == table.keys.front().group;
  const std::string_view mark = key.effect == Effect::kOperational ? " *" : "  ";
  std::string text = concat(mark, "--", key.name, placeholder(key.type), " ");
  text.resize(std::max(text.size(), kColumn), ' ');
  const std::string indent = "\n" + std::string(kColumn, ' ');
  for (const char letter : key.help) text += letter == '\n' ? indent : std::string(1, letter);
  const std::string value = default_text(key);
  const std::string by_default = !value.empty() ? concat("default ", value)
                                 : is_needed    ? "required"
                                                : "none by default";
  const std::string takes = is_path(key) ? "" : concat("; takes ", allowed(key));
  const bool fits = kColumn + by_default.size() + takes.size() <= kColumns;
  return concat(text, indent, by_default, fits ? takes : concat(";", indent, takes.substr(2)));
}

constexpr std::string_view kTrainUsage =
    "Usage: palimpsest train --config FILE [--name value ...] [--print-config | --dry-run]\n"
    "\nLearns a stream of tasks, under mpirun on all ranks.\n\n"
    "Example: palimpsest train --config configs/debian-sections.cfg --seed 2 --out runs/mine\n"
    "Exit codes: palimpsest --help lists them.\n\n";

// What most runs set.
constexpr std::array<std::string_view, 20> kCommon = {
    "pack",       "protocol", "backbone", "out",       "seed",      "tasks",        "epochs",
    "batch",      "lr",       "schedule", "adapter",   "objective", "perturbation", "merge",
    "classifier", "lanes",    "device",   "precision", "resume",    "dry-run"};

// The kinds of a setting with their keys.
std::string kinds_of(const Key& key) {
  if (key.type != Type::kKind) return "";
  std::string text;
  std::istringstream kinds(kinds_help(*key.kinds, kColumns - kColumn));
  for (std::string further; std::getline(kinds, further);)
    text += concat(std::string(kColumn, ' '), further, "\n");
  return text;
}

}  // namespace

std::string short_config_help(const KeyTable& table) {
  std::string text(kTrainUsage);
  text += concat("The settings that most runs need. All ", table.keys.size(),
                 ": palimpsest train --help all. One with\nits kinds and an example: palimpsest "
                 "train --help merge. Those with * may change on resume.\n");
  std::string_view group;
  for (const Key& key : table.keys) {
    if (std::ranges::find(kCommon, key.name) == kCommon.end()) continue;
    if (key.group != group) text += concat("\n", key.group, "\n");
    group = key.group;
    text += key_help(table, key) + "\n";
    if (key.type != Type::kKind) continue;
    const std::string names = concat("kinds: ", join(key.kinds->kinds, ", ", &Kind::name));
    text += concat(std::string(kColumn, ' '), wrap(names, kColumns, kColumn, kColumn), "\n");
  }
  return text;
}

std::string setting_help(const KeyTable& table, std::string_view name) {
  name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
  const Key* const key = find_key(table, name);
  if (key == nullptr) {
    std::vector<std::string_view> names;
    for (const Key& one : table.keys) names.push_back(one.name);
    throw UsageError(concat("--help ", name, ": no setting of this name; ",
                            name_hint(name, names, "palimpsest train --help all lists them")));
  }
  const std::string value = value_text(RunConfig(), *key);
  const std::string shown = value.empty() ? std::string(placeholder(key->type).substr(1)) : value;
  return concat(key_help(table, *key), key->type == Type::kKind ? ":\n" : "\n", kinds_of(*key),
                "\nExample: palimpsest train --config FILE --", name, ' ', shown,
                "\n         or the line '", name, " = ", shown, "' in the file\n");
}

std::string config_help(const KeyTable& table) {
  std::string text = concat(
      kTrainUsage,
      "--print-config shows the settings only, --dry-run what the run would open and cost.\n"
      "Settings. --config FILE reads them from a file of lines 'name = value'; a setting on the\n"
      "command line (--name value) wins over the file. A switch alone (--dry-run) means true.\n"
      "In a file, # at the beginning of a line or behind a blank begins a comment, a value may be\n"
      "in quotes, and variables ($HOME) are rejected. include = FILE reads the settings of "
      "another\n"
      "file, such as methods/average.cfg; the settings of this file override them. In files and on "
      "the\n"
      "command line, ~ is the home folder. Other paths start at the folder of the file that has "
      "them, on\n"
      "the command line at the working folder.\n"
      "KIND is NAME[:key=value,...]; a key that isn't given has its default. A kind with one key "
      "also\n"
      "takes NAME:value. KIND,KIND are several.\n"
      "Settings and keys marked * may change when a run is resumed; the others are part of what "
      "it\n"
      "computes.\n");
  std::string_view group;
  for (const Key& key : table.keys) {
    if (key.group != group) text += concat("\n", key.group, "\n");
    group = key.group;
    text += concat(key_help(table, key), key.type == Type::kKind ? ":\n" : "\n", kinds_of(key));
  }
  return text;
}

std::string verb_settings_help(const KeyTable& table, std::string_view verb) {
  constexpr std::size_t kColumns = 98;
  std::string text = "Settings that it takes (palimpsest train --help all explains them):\n",
              line = " ";
  for (const Key& key : table.keys) {
    if (!is_taken_by(key, verb)) continue;
    if (line.size() + key.name.size() + 3 > kColumns) {
      text += line + "\n";
      line = " ";
    }
    line += concat(" --", key.name);
  }
  return concat(
      text, line,
      "\nOthers are rejected on the command line. A --config file may have them: it describes a "
      "run, and this\ncommand ignores what it doesn't need.\n");
}

std::string config_json(const KeyTable& table, const RunConfig& config, bool with_operational) {
  Json json = Json::object();
  for (const Key& key : table.keys) {
    if (key.effect == Effect::kOperational && !with_operational) continue;
    json[std::string(key.name)] = json_value(config, key, with_operational);
  }
  return dump(json);
}

namespace {

Json recorded_object(std::string_view recorded_json) {
  Json recorded = Json::parse(with_todays_settings(std::string(recorded_json)), nullptr,
                              /*allow_exceptions=*/false);
  if (recorded.is_object()) return recorded;
  throw InputError(concat("recorded configuration: expected a JSON object, found '",
                          recorded_json.substr(0, 60), "'"));
}

// A recorded value as a .cfg file has it.
std::string setting_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

void take_recorded(const KeyTable& table, std::string_view recorded_json, RunConfig& config) {
  const Json recorded = recorded_object(recorded_json);
  for (const Key& key : table.keys) {
    const auto found = recorded.find(std::string(key.name));
    if (found == recorded.end()) continue;
    try {
      set_value(config, key, setting_text(*found));
    } catch (const UsageError& error) {
      throw InputError(concat("recorded configuration: ", error.what()));
    }
  }
}

std::vector<std::string> config_differences(const KeyTable& table, std::string_view recorded_json,
                                            const RunConfig& config) {
  // A key that the record does not know came later, with a default that changed nothing.
  RunConfig then, now = config;
  take_recorded(table, recorded_json, then);
  if (table.forget_unused)
    for (RunConfig* const one : {&then, &now}) table.forget_unused(*one);
  std::vector<std::string> differences;
  for (const Key& key : table.keys) {
    if (key.effect == Effect::kOperational) continue;
    const Json before = json_value(then, key, false), after = json_value(now, key, false);
    if (before != after)
      differences.push_back(concat(key.name, ": recorded ", dump(before), ", now ", dump(after)));
  }
  return differences;
}

}  // namespace palimpsest
