#include "content_hash.h"

#include <algorithm>
#include <array>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr std::array<std::string_view, 10> kNotHashed = {
    "/@palimpsest_type", "/@palimpsest_version",
    "/@writer",          "/@content_sha256",
    "/@longest",         "/@source",
    "/crc32c",           "/numerics",
    "/metrics/seconds",  "/stats"};

bool is_or_is_inside(std::string_view path, std::string_view object) {
  return path.starts_with(object) &&
         (path.size() == object.size() || path[object.size()] == '@' || path[object.size()] == '/');
}

}  // namespace

void ContentHash::begin(std::string_view path, std::string_view type, const H5Dims& dims) {
  if (path <= last_path_) throw Error(concat("content hash: ", path, " after ", last_path_));
  last_path_ = path;
  std::string head = concat(path, '\0', type, '\0');
  for (std::size_t i = 0; i < dims.size(); ++i) head += concat(i == 0 ? "" : ",", dims[i]);
  sha256_.update(head + '\0');
}

std::string joined_texts(std::span<const std::string> texts) {
  std::string joined;
  for (const std::string& text : texts) joined += text + '\0';
  return joined;
}

bool is_hashed(std::string_view path) {
  if (path.ends_with("@crc32c")) return false;
  return std::none_of(kNotHashed.begin(), kNotHashed.end(),
                      [&](std::string_view object) { return is_or_is_inside(path, object); });
}

std::string content_hash(const H5File& file) {
  ContentHash hash;
  for (const std::string& path : file.paths()) {
    if (!is_hashed(path)) continue;
    const H5Item item = file.open(path);
    hash.begin(path, item.type, item.dims);
    if (item.type == "str") {
      const std::string joined = joined_texts(file.read_texts(item));
      hash.update(std::as_bytes(std::span(joined)));
    } else {
      file.read_in_parts(item, [&](std::span<const std::byte> part) { hash.update(part); });
    }
  }
  return hash.hex();
}

void check_content_hash(const H5File& file) {
  const std::string expected = file.text("/@content_sha256");
  const std::string found = content_hash(file);
  if (found != expected) file.refuse("/@content_sha256", expected, found);
}

}  // namespace palimpsest
