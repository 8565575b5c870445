#pragma once
// Results go where they do no harm.
#include <filesystem>
#include <string_view>

namespace palimpsest {

// Throws UsageError unless the folder of `path` is there, and at `path` nothing yet, or a regular
// file that may be written over: one of this palimpsest_type, or, where `type` is empty, a text
// that isn't part of a run.
void check_output(const std::filesystem::path& path, std::string_view type = "");

}  // namespace palimpsest
