#pragma once
// The folder "~" of a path, where no shell has put it in: behind "=", in quotes, in a file.
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

// "~" and "~/x": the user's own; "~name/x": that user's; any other text as it is. A folder whose
// name begins with "~" is written "./~x". Throws UsageError for a user that isn't known.
std::string with_home_folder(std::string_view path);

// The same of every word of a command line, and of what is behind "=" in "--name=~/x".
std::vector<std::string> with_home_folders(std::vector<std::string> arguments);

}  // namespace palimpsest
