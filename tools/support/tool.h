#pragma once
// What the command line tools share: options, --help, and one way out for every error.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/kinds/options.h"

namespace palimpsest {

struct Tool {
  std::string name;
  std::string usage;  // of --help, above the options: what the tool does
  std::string more;   // below them: an example, exit codes
};

// main() of a tool. Stores the options, and calls `work` with the words that are none, usually
// paths; it returns an exit code. --help is answered here, and an exception becomes a message and
// its code. A signal ends the program at once, with nothing half written.
int run_tool(const Tool& tool, int count, char** values, const Options& options,
             const std::function<int(std::vector<std::string> words)>& work);

// To the standard output. Throws Error where that can't be written.
void print(std::string_view text);

}  // namespace palimpsest
