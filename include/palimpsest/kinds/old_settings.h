#pragma once
// The settings of earlier versions, as records and .cfg files have them: what is a key of a kind
// now was a separate setting. Nothing else knows the old names.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

// A setting as it is given, before anything is known of it.
struct Given {
  std::string name, value;
  std::string file =
      {};  // that says so; empty: a command line, or a record, which has all settings
  std::string source = {};  // "command line"; "configuration run.cfg: line 3"
};

struct Spelling {
  std::string setting, value;  // "adapter", "lora:rank=4"
};

// Today's spelling of an old setting with this value, or with the one that it had by default;
// nullopt for a name that never was one.
std::optional<Spelling> todays_spelling(std::string_view old_name,
                                        std::optional<std::string_view> value = std::nullopt);

struct ConvertedSettings {
  std::vector<Given> settings;        // each once, kinds with all of their keys
  std::vector<std::string> left_out;  // lines without a meaning, and why
};

// In today's spelling; the last of a name counts, and a line of one file wins over what an earlier
// one says of the same key, in whatever spelling. nullopt where no name is an old one. Throws
// UsageError where a text and an old setting of one file say different things.
std::optional<ConvertedSettings> convert_old_settings(std::vector<Given> lines);

// The same of a JSON object {name: value}, as records have it, with the parts and keys that were
// not known then. What lacks nothing comes back as it is.
std::string with_todays_settings(const std::string& recorded_json);

}  // namespace palimpsest
