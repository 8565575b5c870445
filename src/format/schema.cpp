#include "schema.h"

#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "h5_types.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "versions.h"

namespace palimpsest {
namespace {

// One object, or with a placeholder in its path ("/lora/<module>/A") one object per name. Names of
// a placeholder that ends with dots ("<name...>") may have slashes.
struct SchemaObject {
  std::string path, type;         // "f4", or "i8 or f8"
  std::vector<std::string> dims;  // "c", "index + 1", "3"; "..." for any number of any length
  bool required = false;          // with a placeholder: for every name that stands in the file
};

// Of the file's major version, or of the one before where that left the type as it was.
std::vector<SchemaObject> schema_of(const std::string& type, std::string_view version) {
  std::vector<SchemaObject> objects;
  std::string found;
  for (const std::string_view text : schema_texts()) {
    const auto json = nlohmann::json::parse(text);
    const std::string major(major_version(json.at("palimpsest_version").get<std::string>()));
    if (json.at("describes") != type || major > major_version(version) || major < found) continue;
    found = major;
    objects.clear();
    for (const auto& entry : json.at("objects")) {
      objects.push_back({.path = entry.at("path"),
                         .type = entry.at("type"),
                         .dims = entry.at("dims"),
                         .required = entry.at("required")});
    }
  }
  return objects;
}

// "<module>" of "/lora/<module>/A"; "" where there is none.
std::string placeholder_of(const std::string& path) {
  const std::size_t begin = path.find('<');
  return begin == std::string::npos ? "" : path.substr(begin, path.find('>') + 1 - begin);
}

// The name at the placeholder of `pattern` when `path` is one of its objects; "" for a pattern
// without a placeholder; nullopt for another object's path.
std::optional<std::string> match(std::string_view pattern, std::string_view path) {
  const std::size_t begin = pattern.find('<');
  if (begin == std::string_view::npos)
    return pattern == path ? std::optional<std::string>("") : std::nullopt;
  const std::string_view before = pattern.substr(0, begin);
  const std::string_view after = pattern.substr(pattern.find('>') + 1);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) ||
      !path.ends_with(after))
    return std::nullopt;
  std::string name(path.substr(before.size(), path.size() - before.size() - after.size()));
  const bool may_have_slashes = placeholder_of(std::string(pattern)).ends_with("...>");
  if (name.find_first_of(may_have_slashes ? "@" : "/@") != std::string::npos) return std::nullopt;
  return name;
}

// Which length each letter of the schema stands for in this file: the first object to use a letter
// says it, all others must agree. With a placeholder in its path, a letter has a length per name.
class Lengths {
 public:
  // Whether `length` can be the dimension `text`: "3", "n", "n + 1".
  bool agree(const std::string& text, const std::string& name, std::int64_t length) {
    if (std::isdigit(static_cast<unsigned char>(text.front())) != 0)
      return std::to_string(length) == text;
    const auto [letter, more] = parts_of(text);
    const auto [known, is_new] = known_.try_emplace({letter, name}, length - more);
    return length >= more && known->second == length - more;
  }

  // "n + 1 = 17" once n is known.
  std::string shown(const std::string& text, const std::string& name) const {
    const auto [letter, more] = parts_of(text);
    const auto known = known_.find({letter, name});
    return known == known_.end() ? text : concat(text, " = ", known->second + more);
  }

 private:
  static std::pair<std::string, std::int64_t> parts_of(const std::string& text) {
    const std::size_t plus = text.find(" + ");
    if (plus == std::string::npos) return {text, 0};
    return {text.substr(0, plus), std::stoll(text.substr(plus + 3))};
  }

  std::map<std::pair<std::string, std::string>, std::int64_t> known_;
};

std::string problem_of_object(const H5File& file, const std::string& path,
                              const SchemaObject& expected, const std::string& name,
                              Lengths& lengths) {
  const H5Item item = file.open(path);
  std::string shape;
  for (const std::string& length : expected.dims)
    shape += concat(shape.empty() ? "" : ", ", lengths.shown(length, name));
  const std::string types = concat(" ", expected.type, " ");
  bool fits = types.find(concat(" ", item.type, " ")) != std::string::npos;
  if (expected.dims == std::vector<std::string>{"..."} && fits) return "";
  fits = fits && item.dims.size() == expected.dims.size();
  for (std::size_t d = 0; fits && d < item.dims.size(); ++d)
    fits = lengths.agree(expected.dims[d], name, item.dims[d]);
  if (fits) return "";
  return concat(path, ": expected ", expected.type, " [", shape, "], found ", item.type, " ",
                dims_text(item.dims));
}

}  // namespace

std::vector<std::string> schema_problems(const H5File& file) {
  const std::string type = file.text("/@palimpsest_type");
  const std::string version = file.text("/@palimpsest_version");
  const std::vector<SchemaObject> schema = schema_of(type, version);
  if (schema.empty())
    return {concat("/@palimpsest_type: expected a type with a schema, found \"", type, "\"")};
  const bool may_hold_more = is_later_minor_version(version);
  std::vector<std::string> problems;
  std::set<std::string> found;
  std::set<std::pair<std::string, std::string>> names = {{"", ""}};  // with their placeholders
  Lengths lengths;
  for (const std::string& path : file.paths()) {
    if (path.ends_with("@crc32c")) continue;
    found.insert(path);
    bool known = false;
    for (const SchemaObject& object : schema) {
      const std::optional<std::string> name = match(object.path, path);
      if (!name) continue;
      known = true;
      names.emplace(placeholder_of(object.path), *name);
      const std::string problem = problem_of_object(file, path, object, *name, lengths);
      if (!problem.empty()) problems.push_back(problem);
      break;
    }
    if (!known && !may_hold_more)
      problems.push_back(concat(path, ": expected nothing of this name in a ", type));
  }
  for (const SchemaObject& object : schema) {
    if (!object.required) continue;
    for (const auto& [placeholder, name] : names) {
      if (placeholder != placeholder_of(object.path)) continue;
      std::string path = object.path;
      path.replace(path.find(placeholder), placeholder.size(), name);
      if (!found.contains(path)) problems.push_back(concat(path, ": missing"));
    }
  }
  return problems;
}

}  // namespace palimpsest
