#pragma once
// Settings as .cfg files give them.
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/config/key_table.h"
#include "palimpsest/kinds/old_settings.h"

namespace palimpsest {

// Of a .cfg file and the files that it includes. `include = FILE[, FILE...]` looks for each FILE in
// the folder of the file that says so, then in configs/ of that folder and of every folder above
// it. A name has no comma. What an included file says comes first, so that the last of a name
// counts. Throws UsageError: a file that can't be read or includes itself; more than 100 files,
// each counted as often as it is included; a line that is none; a name twice in one file.
std::vector<Given> read_config_files(const std::filesystem::path& path);

// Joins each relative path of `settings` to the folder of its file. Throws UsageError where an
// input that `flags` don't replace is not there, and the text as it is written names something in
// the working folder: relative paths of earlier versions started there.
void start_paths_at_files(const KeyTable& table, std::vector<Given>& settings,
                          std::span<const Given> flags, std::string_view verb);

}  // namespace palimpsest
