#pragma once
// The hash of what a file says, whoever wrote it and when: SHA-256 over the hashed objects in byte
// order of their path. The definition, for other implementations: checkpoints_schema/README.md.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "h5.h"
#include "palimpsest/core/hash.h"

namespace palimpsest {

class ContentHash {
 public:
  // An object, then its payload, in any number of parts; of texts: each followed by a NUL byte.
  // Call in ascending byte order of the paths; throws Error otherwise.
  void begin(std::string_view path, std::string_view type, const H5Dims& dims);
  void update(std::span<const std::byte> payload) { sha256_.update(payload); }
  void add(std::string_view path, std::string_view type, const H5Dims& dims,
           std::span<const std::byte> payload) {
    begin(path, type, dims);
    update(payload);
  }
  std::string hex() { return sha256_.hex(); }

 private:
  Sha256 sha256_;
  std::string last_path_;
};

std::string joined_texts(std::span<const std::string> texts);

// False for what equal runs may differ in (writer, seconds, numerics) and for what follows from the
// rest (statistics, checksums).
bool is_hashed(std::string_view path);

std::string content_hash(const H5File& file);

// Throws InputError when the file's content_sha256 isn't the hash of its content.
void check_content_hash(const H5File& file);

}  // namespace palimpsest
