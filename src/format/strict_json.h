#pragma once
// JSON as we take it from files: no name twice in one object, nothing nested deeper than any file
// of ours, no number out of a double's range.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace palimpsest {

// Throws InputError that begins with `where`: the file, and its part.
nlohmann::json parse_json(std::string_view text, const std::string& where);

}  // namespace palimpsest
