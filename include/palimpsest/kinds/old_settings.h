#pragma once
// The settings of earlier versions, as records and .cfg files have them: what is a key of a kind
// now was a separate setting. Nothing else knows the old names.
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace palimpsest {

struct Spelling {
  std::string setting, value;  // "adapter", "lora:rank=4"
};

// Today's spelling of an old setting with this value; nullopt for a name that never was one.
std::optional<Spelling> todays_spelling(std::string_view old_name, std::string_view value);

// Settings by name in today's spelling, kinds with all of their keys. Returns false, and changes
// nothing, where no name is an old one. Throws UsageError where a text and an old setting say
// different things.
bool convert_old_settings(std::map<std::string, std::string>& settings);

// The same of a JSON object {name: value}, as records have it; what is no such object comes back as
// it is.
std::string with_todays_settings(const std::string& recorded_json);

}  // namespace palimpsest
