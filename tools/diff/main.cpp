// palimpsest diff: in what two runs, or two records, differ.
#include <string>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/differences.h"
#include "palimpsest/kinds/old_settings.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

const Tool kTool = {.name = "palimpsest diff",
                    .usage =
                        R"(Usage: palimpsest diff A B [--all]

Compares two run folders, or two HDF5 files of one type, by content; dates, durations and
writers are ignored. Says that they are the same, or names the first field that differs, with its
value or shape in both.
)",
                    .more = R"(Example: palimpsest diff runs/mine runs/again
Exit codes: 0 the same, 1 different, 2 usage, 3 a file is missing, damaged or of another kind.
)"};

int diff(const std::vector<std::string>& paths, bool all) {
  if (paths.size() != 2)
    throw UsageError(concat("expected two runs or files, found ", paths.size(), "; see --help"));
  const RecordComparison comparison = compare(paths[0], paths[1], with_todays_settings);
  std::string text;
  if (!comparison.differences.empty()) text = concat("A: ", paths[0], "\nB: ", paths[1], "\n");
  for (const Difference& difference : comparison.differences) {
    text += concat(difference.file, difference.file.empty() ? "" : ": ", difference.field, ": ",
                   difference.how, "\n");
    if (!all) break;
  }
  if (!all && comparison.differences.size() > 1)
    text += concat(comparison.differences.size() - 1, " more; --all names them\n");
  if (comparison.differences.empty()) text = concat("the same: ", comparison.compared, "\n");
  for (const std::string& remark : comparison.remarks) text += concat(remark, "\n");
  print(text);
  return comparison.differences.empty() ? 0 : 1;
}

}  // namespace
}  // namespace palimpsest

int main(int count, char** values) {
  using namespace palimpsest;
  bool all = false;
  return run_tool(kTool, count, values, {option("all", all, "every field that differs")},
                  [&](const auto& paths) { return diff(paths, all); });
}
