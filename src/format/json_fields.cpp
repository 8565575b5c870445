#include "json_fields.h"

#include <algorithm>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "strict_json.h"
#include "versions.h"

namespace palimpsest {
namespace {

const nlohmann::json* find(const JsonObject& object, const char* field) {
  const auto found = object.json.find(field);
  return found == object.json.end() ? nullptr : &*found;
}

}  // namespace

bool lists(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

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
  const nlohmann::json* value = find(*this, field);
  if (value == nullptr || !value->is_string()) refuse(field, "a text");
  return value->get<std::string>();
}

std::int64_t JsonObject::integer(const char* field, std::int64_t minimum) const {
  const nlohmann::json* value = find(*this, field);
  const bool is_whole =
      value != nullptr && value->is_number_integer() && value->get<std::int64_t>() >= minimum;
  if (!is_whole) refuse(field, concat("a whole number of at least ", minimum));
  return value->get<std::int64_t>();
}

double JsonObject::number(const char* field) const {
  const nlohmann::json* value = find(*this, field);
  if (value == nullptr || !value->is_number()) refuse(field, "a number");
  return value->get<double>();
}

const nlohmann::json& JsonObject::array(const char* field) const {
  const nlohmann::json* value = find(*this, field);
  if (value == nullptr || !value->is_array()) refuse(field, "a list");
  return *value;
}

const nlohmann::json& JsonObject::object(const char* field) const {
  const nlohmann::json* value = find(*this, field);
  if (value == nullptr || !value->is_object()) refuse(field, "an object");
  return *value;
}

bool is_set(const nlohmann::json& object, const std::string& field) {
  const nlohmann::json value = object.value(field, nlohmann::json());
  if (value.is_null() || value == false || value == "") return false;
  return !value.is_structured() || !value.empty();
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

}  // namespace palimpsest
