#pragma once
// Settings as they are given, in a file or on the command line, before anything is known of them.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/config/key_table.h"

namespace palimpsest {

struct Given {
  std::string name, value;
  std::string source;  // "command line"; "configuration run.cfg: line 3"
};

// Of a .cfg file and the files that it includes. `include = FILE[, FILE...]` looks for each FILE in
// the folder of the file that says so, then in configs/ of that folder and of every folder above
// it. What an included file says comes first, so that the last of a name counts. Throws UsageError:
// a file that can't be read or includes itself; a line that is none; a name twice in one file.
std::vector<Given> read_config_files(const std::filesystem::path& path);

// Of --name value, --name=value, or --name alone for a switch. Throws UsageError.
std::vector<Given> read_command_line(const KeyTable& table, std::span<const std::string> arguments);

}  // namespace palimpsest
