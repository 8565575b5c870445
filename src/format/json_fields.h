#pragma once
// Checked reading of JSON files. Everything throws InputError naming the file, the field, what was
// expected and what was found.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace palimpsest {

// JSON as we take it from files: no name twice in one object, nothing nested deeper than any file
// of ours, no number out of a double's range. The message begins with `where`: the file, and its
// part.
nlohmann::json parse_json(std::string_view text, const std::string& where);

// A JSON object. `where`: the field's place in the file, for messages ("tasks[2]"); "" at the top.
struct JsonObject {
  const nlohmann::json& json;
  const std::filesystem::path& path;
  std::string where = {};

  [[noreturn]] void refuse(std::string_view field, std::string_view expected) const;
  // "FIELD is VALUE: reason".
  [[noreturn]] void refuse_value(const std::string& field, std::string_view reason) const;
  bool has(const char* field) const { return json.contains(field); }
  std::string text(const char* field) const;
  std::int64_t integer(const char* field, std::int64_t minimum) const;
  double number(const char* field) const;
  const nlohmann::json& array(const char* field) const;
  const nlohmann::json& object(const char* field) const;
};

// Whether the name is one of the names, with a blank between two.
bool lists(std::string_view names, std::string_view name);

// Whether the field says something other than "no": null, false, "" and empty lists say no.
bool is_set(const nlohmann::json& object, const std::string& field);

// A field that may say no, or what is allowed, as JSON: "true" alone where that is it; what it
// would mean otherwise.
struct RefusedField {
  std::string_view name, reason, allowed = {};
};

// Throws InputError for a field that isn't as its entry allows, with the reason. unknown: the
// reason for any other that is set and not harmless; "" where those are left aside.
void check_fields(const JsonObject& object, std::span<const RefusedField> refused,
                  std::string_view harmless, std::string_view unknown);

nlohmann::json read_json_object(const std::filesystem::path& path);

// palimpsest_type and palimpsest_version.
void check_json_identity(const JsonObject& object, std::string_view type);

}  // namespace palimpsest
