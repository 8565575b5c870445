#include <algorithm>
#include <array>

#include "h5.h"
#include "palimpsest/core/hash.h"
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

bool is_hashed(std::string_view path) {
  if (path.ends_with("@crc32c")) return false;
  return std::none_of(kNotHashed.begin(), kNotHashed.end(),
                      [&](std::string_view object) { return is_or_is_inside(path, object); });
}

std::string content_hash(const H5File& file) {
  Sha256 hash;
  for (const std::string& path : file.paths()) {
    if (!is_hashed(path)) continue;
    const H5Item item = file.open(path);
    std::string head = concat(path, '\0', item.type, '\0');
    for (std::size_t i = 0; i < item.dims.size(); ++i)
      head += concat(i == 0 ? "" : ",", item.dims[i]);
    hash.update(head + '\0');
    if (item.type == "str") {
      for (const std::string& text : file.read_texts(item)) hash.update(text + '\0');
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
