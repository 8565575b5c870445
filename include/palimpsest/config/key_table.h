#pragma once
// A table of settings. Help, parsing, range checks, nearest-key hints, --print-config, the JSON in
// every record, completion, and "may this change on resume?" all come from its rows. The program's
// own is all_settings() of method/settings.h.
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/config/field.h"
#include "palimpsest/config/run_config.h"
#include "palimpsest/kinds/options.h"
#include "palimpsest/kinds/setting_spec.h"

namespace palimpsest {

// A setting: as --name on the command line and as name in a .cfg file.
struct Key : SettingSpec {
  std::string_view group;  // heading in --help
  Field<RunConfig> field;
  // Which verbs take it besides train. Others refuse it by name on the command line.
  std::vector<std::string_view> verbs;
};

struct KeyTable {
  std::vector<Key> keys;
  // Throw UsageError where settings contradict one another: of every verb; of one that trains.
  std::function<void(const RunConfig&)> check = nullptr;
  std::function<void(const RunConfig&)> check_training = nullptr;
  // Gives those their default that the others leave without a meaning.
  std::function<void(RunConfig&)> forget_unused = nullptr;
};

// nullptr where there is none of that name.
const Key* find_key(const KeyTable& table, std::string_view name);

// A value as a .cfg file has it: a kind with all of its keys. Doubles round-trip.
std::string value_text(const RunConfig& config, const Key& key);

// Parses and checks one value. Throws UsageError naming the key, the value and what is allowed.
void set_value(RunConfig& config, const Key& key, std::string_view text);

// Arguments after the verb: --config FILE, --key value, --key=value, or --key alone for a switch. A
// file has lines of core/cfg_file.h and `include` (src/config/given.h). A relative path of a file
// starts at the file's folder, one of the command line at the working folder. The command line wins
// over the file. Throws UsageError for a
// line that is none, an unknown key (with the nearest known one), a key of an earlier version (with
// today's spelling), a key given twice in one place, a value out of range, a missing required
// setting (pack, protocol, backbone), a contradiction between settings. With `left_out` a file in
// the spelling of an earlier version is converted instead; what of it has no meaning is named
// there, by line.
RunConfig parse_run_config(const KeyTable& table, std::span<const std::string> arguments,
                           std::string_view verb = "train",
                           std::vector<std::string>* left_out = nullptr);

// The same, but pack, protocol and backbone may be missing: for a plan without files. `defaults`:
// what is not given. `verb`: a setting that it has no use for is refused on the command line, by
// name, and passed over in a file, which describes a run.
RunConfig parse_settings(const KeyTable& table, std::span<const std::string> arguments,
                         const RunConfig& defaults = {}, std::string_view verb = "train",
                         std::vector<std::string>* left_out = nullptr);

// Stores the verb's own options, and returns the other words, all settings that it takes and their
// values. Throws UsageError as take_options(), and for a word that is neither, with the nearest of
// both.
std::vector<std::string> take_own_options(const KeyTable& table, const Options& own,
                                          std::span<const std::string> arguments,
                                          std::string_view verb);

bool is_path(const Key& key);

// The same settings, whose paths mean the same from any working folder.
RunConfig with_absolute_paths(const KeyTable& table, RunConfig config);

// All settings as a .cfg file that parses back to the same RunConfig, wherever it is. Its paths are
// absolute.
std::string print_config(const KeyTable& table, const RunConfig& config);

bool is_taken_by(const Key& key, std::string_view verb);

// The settings that a verb takes, by name, and what becomes of others.
std::string verb_settings_help(const KeyTable& table, std::string_view verb);

// Help on every key: group, name, default, range or choices, effect on resume.
std::string config_help(const KeyTable& table);
// The settings that most runs need, a line or two each.
std::string short_config_help(const KeyTable& table);
// Of one setting, with all of its kinds, and an example. Throws UsageError where there is none of
// this name.
std::string setting_help(const KeyTable& table, std::string_view name);

// JSON object {key: value}, keys in table order. Operational keys, and those inside of kinds, are
// left out unless requested.
std::string config_json(const KeyTable& table, const RunConfig& config, bool with_operational);

// Into `config` what config_json() has written, of this version or an earlier one; keys that this
// program does not know are left out. Throws InputError when it is no JSON object or a value is
// not possible.
void take_recorded(const KeyTable& table, std::string_view recorded_json, RunConfig& config);

// The keys, operational ones and those without a meaning aside, in which a recorded configuration
// (from config_json) differs: "key: recorded X, now Y".
std::vector<std::string> config_differences(const KeyTable& table, std::string_view recorded_json,
                                            const RunConfig& config);

}  // namespace palimpsest
