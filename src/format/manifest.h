#pragma once
// manifest.json as text and back. A manifest with a missing or mistyped field is refused.
#include <filesystem>
#include <string>

#include "palimpsest/format/run_folder.h"

namespace palimpsest {

std::string manifest_text(const Manifest& manifest);

// Throws InputError: damaged, of another type or version, or with a path that leaves the folder.
Manifest read_manifest(const std::filesystem::path& path);

}  // namespace palimpsest
