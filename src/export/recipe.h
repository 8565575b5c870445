#pragma once
// A classifier that no linear layer can express, for other programs: its arrays, and how scores
// follow from them.
#include <filesystem>

#include "palimpsest/export/source.h"

namespace palimpsest {

// Writes classifier.safetensors and classifier.json into `folder`. Throws InputError for arrays
// that this program knows no recipe for.
void write_recipe(const ExportSource& source, const std::filesystem::path& folder);

}  // namespace palimpsest
