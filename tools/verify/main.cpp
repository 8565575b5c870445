// palimpsest-verify: is a run, or a file, whole?
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/text.h"
#include "palimpsest/format/verify.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

constexpr std::string_view kHelp =
    "Usage: palimpsest-verify RUN_OR_FILE...\n\n"
    "Reads all of each run folder, task record, state, step, pack or protocol, and checks it: "
    "hashes\n"
    "and checksums, the schema of its type, finite numbers; in a run also that every task is "
    "there,\n"
    "merged onto what the task before it left, up to the newest state. Names everything wrong.\n\n"
    "Example: palimpsest-verify runs/mine data/mine.h5\n"
    "Exit codes: 0 whole, 2 usage, 3 something is wrong or missing.\n";

int verify_all(int count, char** values) {
  const std::vector<std::string_view> arguments(values + 1, values + count);
  for (const std::string_view argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      print(kHelp);
      return 0;
    }
    if (argument.starts_with("-"))
      throw UsageError(concat("'", argument, "' is not an option; see --help"));
  }
  if (arguments.empty())
    throw UsageError("expected a run folder or a file, found none; see --help");
  bool whole = true;
  for (const std::string_view path : arguments) {
    const Verification result = verify(path);
    for (const std::string& problem : result.problems) print(concat(problem, "\n"));
    for (const std::string& remark : result.remarks) print(concat(path, ": ", remark, "\n"));
    if (result.problems.empty()) {
      print(concat(path, ": whole: ", result.checked, "\n"));
    } else {
      whole = false;
      print(concat(path, ": ", result.problems.size(),
                   result.problems.size() == 1 ? " problem\n" : " problems\n"));
    }
  }
  return whole ? 0 : static_cast<int>(ExitCode::kBadInput);
}

}  // namespace
}  // namespace palimpsest

int main(int count, char** values) {
  return palimpsest::run_tool("palimpsest-verify", count, values, palimpsest::verify_all);
}
