#pragma once
// Results go where they do no harm.
#include <filesystem>
#include <string_view>

namespace palimpsest {

// Throws UsageError unless the folder of `path` is there, and at `path` nothing yet, or a regular
// file that may be written over: an HDF5 file of this palimpsest_type; a text that is empty or
// begins like those that the program writes, blanks aside, and isn't part of a run.
void check_output(const std::filesystem::path& path, std::string_view type);
void check_text_output(const std::filesystem::path& path, std::string_view beginning);

}  // namespace palimpsest
