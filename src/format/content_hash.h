#pragma once
// The hash of what a file says, whichever program wrote it and when: SHA-256 over the hashed
// objects in byte order of their path. The definition, for other implementations:
// checkpoints_schema/README.md.
#include <string>
#include <string_view>

#include "h5.h"

namespace palimpsest {

// False for what equal runs may differ in (writer, seconds, numerics) and for what follows from the
// rest (statistics, checksums).
bool is_hashed(std::string_view path);

std::string content_hash(const H5File& file);

// Throws InputError when the file's content_sha256 isn't the hash of its content.
void check_content_hash(const H5File& file);

}  // namespace palimpsest
