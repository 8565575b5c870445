#include "palimpsest/format/file_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "h5.h"

namespace palimpsest {
namespace {

using Json = nlohmann::ordered_json;

// The place of "/merge@alpha": {"merge": {"alpha": ...}}.
Json& at(const H5File& file, Json& json, const std::string& path) {
  Json* found = &json;
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find_first_of("/@", begin), path.size());
    if (!found->is_null() && !found->is_object())
      file.refuse(path, "a dataset without attributes", "one");
    found = &(*found)[path.substr(begin, end - begin)];
    begin = end + 1;
  }
  return *found;
}

Json as_json(const std::vector<std::string>& texts, bool is_scalar) {
  if (!is_scalar) return texts;
  Json parsed = Json::parse(texts.front(), nullptr, /*allow_exceptions=*/false);
  return parsed.is_object() ? parsed : Json(texts.front());
}

}  // namespace

std::string file_as_json(const std::filesystem::path& path) {
  const H5File file(path, "");
  Json json = Json::object();
  for (const std::string& place : file.paths()) {
    if (place.ends_with("@crc32c") || place.starts_with("/@") || place.starts_with("/memory"))
      continue;
    const H5Item item = file.open(place);
    if (item.dims.size() > 1 || item.type == "f4") continue;
    if (item.type == "str")
      at(file, json, place) = as_json(file.read_texts(item), item.dims.empty());
    with_element_type(item.type, [&]<typename Number>(const std::vector<Number>&) {
      const auto values = file.numbers<Number>(place, item.dims);
      at(file, json, place) = item.dims.empty() ? Json(values.front()) : Json(values);
    });
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace palimpsest
