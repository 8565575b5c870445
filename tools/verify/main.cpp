// palimpsest verify: is a run, or a file, whole?
#include <string>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/verify.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

const Tool kTool = {.name = "palimpsest verify",
                    .usage =
                        R"(Usage: palimpsest verify RUN_OR_FILE...

Reads each run folder, task record, state, step, pack or protocol completely. Checks its hashes,
checksums and schema, and that all numbers are finite. In a run it also checks that no task is
missing and that each was merged onto the result of the one before. Reports every error.
)",
                    .more = R"(Example: palimpsest verify runs/mine data/mine.h5
Exit codes: 0 whole, 2 usage, 3 something is wrong or missing.
)"};

int verify_all(const std::vector<std::string>& paths) {
  if (paths.empty()) throw UsageError("expected a run folder or a file, found none; see --help");
  bool whole = true;
  for (const std::string& path : paths) {
    const Verification result = verify(path);
    for (const std::string& problem : result.problems) print(concat(problem, "\n"));
    for (const std::string& remark : result.remarks) print(concat(path, ": ", remark, "\n"));
    if (result.problems.empty()) {
      print(concat(path, ": whole: ", result.checked, "\n"));
    } else {
      whole = false;
      print(concat(path, ": ", counted(result.problems.size(), "problem"), "\n"));
    }
  }
  return whole ? 0 : static_cast<int>(ExitCode::kBadInput);
}

}  // namespace
}  // namespace palimpsest

int main(int count, char** values) {
  return palimpsest::run_tool(palimpsest::kTool, count, values, {}, palimpsest::verify_all);
}
