#pragma once
// Settings as .cfg files give them.
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/kinds/old_settings.h"

namespace palimpsest {

// Of a .cfg file and the files that it includes. `include = FILE[, FILE...]` looks for each FILE in
// the folder of the file that says so, then in configs/ of that folder and of every folder above
// it. A name has no comma. What an included file says comes first, so that the last of a name
// counts. Throws UsageError: a file that can't be read or includes itself; more than 100 files,
// each counted as often as it is included; a line that is none; a name twice in one file.
std::vector<Given> read_config_files(const std::filesystem::path& path);

}  // namespace palimpsest
