#pragma once
// A table of settings. Help, parsing, range checks, nearest-key hints, --print-config, the JSON in
// every record, and "may this change on resume?" all come from it. The program's own is
// all_settings() of method/settings.h.
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "palimpsest/config/run_config.h"

namespace palimpsest {

// What a change of the setting changes.
enum class Effect {
  kMath,         // the numbers a run is about: refused on resume
  kNumerics,     // rounding only (lanes, device): refused on resume
  kOperational,  // nothing in the results: free
};

using Member =
    std::variant<bool RunConfig::*, std::int64_t RunConfig::*, std::uint64_t RunConfig::*,
                 double RunConfig::*, std::string RunConfig::*, std::vector<double> RunConfig::*,
                 std::vector<std::string> RunConfig::*>;

struct Key {
  std::string_view name;   // as in --name and in a .cfg file
  std::string_view group;  // heading in --help
  Member member;
  std::string_view help;  // one or two lines of at most 70 characters
  Effect effect = Effect::kMath;
  double minimum = 0, maximum = 0;  // numbers; equal: no range
  bool above_minimum = false;       // the minimum itself is not allowed
  // Of strings; empty: anything. With a range: a whole number in it, too. With `read`: what a text
  // may begin with.
  std::vector<std::string_view> choices = {};
  // Of strings with a grammar of their own: returns the text as it is kept, or throws UsageError.
  std::function<std::string(std::string_view text)> read = nullptr;
  std::string takes = {};      // what `read` reads, in words
  std::string more_help = {};  // further lines, of at most 70 characters
  // Which verbs take it besides train. Others refuse it by name on the command line.
  std::vector<std::string_view> verbs = {"plan", "doctor"};
};

struct KeyTable {
  std::vector<Key> keys;
  // Throw UsageError where settings contradict one another: of every verb; of one that trains.
  std::function<void(const RunConfig&)> check = nullptr;
  std::function<void(const RunConfig&)> check_training = nullptr;
};

// nullptr where there is none of that name.
const Key* find_key(const KeyTable& table, std::string_view name);

// A value as a .cfg file has it; lists are comma-separated. Doubles round-trip.
std::string value_text(const RunConfig& config, const Key& key);

// What the key takes, in words: "a whole number, 1 or more".
std::string allowed(const Key& key);

// Parses and checks one value. Throws UsageError naming the key, the value and what is allowed.
void set_value(RunConfig& config, const Key& key, std::string_view text);

// Arguments after the verb: --config FILE (lines of core/cfg_file.h; relative paths in it are
// relative to the working folder), --key value or --key=value; a boolean flag alone means true. The
// command line wins over the file. Nothing is left aside: throws UsageError for a line that is
// none, an unknown key (with the nearest known one), a key given twice in one place, a value out of
// range, a missing required setting (pack, protocol, backbone), a contradiction between settings.
RunConfig parse_run_config(const KeyTable& table, std::span<const std::string> arguments,
                           std::string_view verb = "train");

// The same, but pack, protocol and backbone may be missing: for a plan without files. `defaults`:
// what is not given. `verb`: a setting that it has no use for is refused on the command line, by
// name, and passed over in a file, which describes a run.
RunConfig parse_settings(const KeyTable& table, std::span<const std::string> arguments,
                         const RunConfig& defaults = {}, std::string_view verb = "train");

// All settings as a .cfg file that parses back to the same RunConfig.
std::string print_config(const KeyTable& table, const RunConfig& config);

bool is_taken_by(const Key& key, std::string_view verb);

// The settings that a verb takes, by name, and what becomes of others.
std::string settings_of_verb_help(const KeyTable& table, std::string_view verb);

// Help on every key: group, name, default, range or choices, effect on resume.
std::string config_help(const KeyTable& table);

// JSON object {key: value}, keys in table order; operational keys left out unless asked for.
std::string config_json(const KeyTable& table, const RunConfig& config, bool with_operational);

// Into `config` what config_json() has written; keys that this program does not know are left out.
// Throws InputError when it is no JSON object or a value is not possible.
void take_recorded(const KeyTable& table, std::string_view recorded_json, RunConfig& config);

// The keys, operational ones aside, in which a recorded configuration (from config_json) differs:
// "key: recorded X, now Y".
std::vector<std::string> config_differences(const KeyTable& table, std::string_view recorded_json,
                                            const RunConfig& config);

}  // namespace palimpsest
