#include "json_fields.h"

#include <algorithm>
#include <set>
#include <vector>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "versions.h"

namespace palimpsest {
namespace {

// The field, where it is there and fits.
template <typename Fits>
const nlohmann::json& checked(const JsonObject& object, const char* field,
                              std::string_view expected, const Fits& fits) {
  const auto found = object.json.find(field);
  if (found == object.json.end() || !fits(*found)) object.refuse(field, expected);
  return *found;
}

}  // namespace

bool lists(std::string_view names, std::string_view name) {
  return name.find(' ') == std::string_view::npos &&
         concat(' ', names, ' ').find(concat(' ', name, ' ')) != std::string::npos;
}

void JsonObject::refuse(std::string_view field, std::string_view expected) const {
  const auto value = json.find(std::string(field));
  const std::string found = value == json.end() ? "nothing" : value->dump().substr(0, 80);
  throw InputError(concat(path.string(), ": ", where, where.empty() ? "" : ".", field,
                          ": expected ", expected, ", found ", found, "."));
}

void JsonObject::refuse_value(const std::string& field, std::string_view reason) const {
  throw InputError(concat(path.string(), ": ", where, where.empty() ? "" : ".", field, " is ",
                          json.at(field).dump().substr(0, 80), ": ", reason));
}

std::string JsonObject::text(const char* field) const {
  return checked(*this, field, "a text", [](const auto& value) { return value.is_string(); });
}

std::int64_t JsonObject::integer(const char* field, std::int64_t minimum) const {
  return checked(
      *this, field, concat("a whole number of at least ", minimum), [&](const auto& value) {
        return value.is_number_integer() && value.template get<std::int64_t>() >= minimum;
      });
}

double JsonObject::number(const char* field) const {
  return checked(*this, field, "a number", [](const auto& value) { return value.is_number(); });
}

const nlohmann::json& JsonObject::array(const char* field) const {
  return checked(*this, field, "a list", [](const auto& value) { return value.is_array(); });
}

const nlohmann::json& JsonObject::object(const char* field) const {
  return checked(*this, field, "an object", [](const auto& value) { return value.is_object(); });
}

bool is_set(const nlohmann::json& object, const std::string& field) {
  const nlohmann::json value = object.value(field, nlohmann::json());
  if (value.is_null() || value == false || value == "") return false;
  return !value.is_structured() || !value.empty();
}

void check_fields(const JsonObject& object, std::span<const RefusedField> refused,
                  std::string_view harmless, std::string_view unknown) {
  for (const auto& [name, value] : object.json.items()) {
    if (lists(harmless, name) || value.is_null()) continue;
    const auto known = std::ranges::find(refused, name, &RefusedField::name);
    const bool is_known = known != refused.end();
    if (is_known && value.dump() == known->allowed) continue;
    const bool may_say_no = !is_known || known->allowed != "true";
    if (may_say_no && !is_set(object.json, name)) continue;
    const std::string_view reason = is_known ? known->reason : unknown;
    if (!reason.empty()) object.refuse_value(name, reason);
  }
}

nlohmann::json read_json_object(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  nlohmann::json json = parse_json(text, path.string());
  if (!json.is_object()) throw InputError(concat(path.string(), ": expected a JSON object."));
  return json;
}

void check_json_identity(const JsonObject& object, std::string_view type) {
  if (object.text("palimpsest_type") != type) {
    object.refuse("palimpsest_type", concat("\"", type, "\""));
  }
  if (!is_readable_version(object.text("palimpsest_version"))) {
    object.refuse("palimpsest_version", readable_versions());
  }
}

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  using nlohmann::json;
  constexpr int kDeepest = 64;
  std::vector<std::set<std::string>> names;  // of the objects that are open
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kDeepest)
      throw InputError(concat(where, ": expected at most ", kDeepest, " levels, found more."));
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key && !names.back().insert(parsed.get<std::string>()).second)
      throw InputError(concat(where, ": the name ", parsed.dump(), " is given twice."));
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::parse_error& error) {
    throw InputError(concat(where, ": expected JSON, found a syntax error at byte ", error.byte,
                            ": the file is damaged, or of another kind."));
  } catch (const json::out_of_range&) {
    throw InputError(concat(where, ": expected numbers in a double's range, found a larger one."));
  }
}

}  // namespace palimpsest
