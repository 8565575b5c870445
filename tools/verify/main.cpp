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

Reads all of each run folder, task record, state, step, pack or protocol, and checks it: hashes
and checksums, the schema of its type, finite numbers; in a run also that every task is there,
merged onto what the task before it left, up to the newest state. Names everything wrong.
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
