// palimpsest-diff: in what two runs, or two records, differ.
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/text.h"
#include "palimpsest/format/differences.h"
#include "palimpsest/kinds/old_settings.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

constexpr std::string_view kHelp =
    "Usage: palimpsest-diff A B [--all]\n\n"
    "Compares two run folders, or two HDF5 files of one type, by what they say: not by dates,\n"
    "seconds or writers. Says that they are the same, or names the first field that differs and\n"
    "by how much.\n\n"
    "  --all    every field that differs\n\n"
    "Example: palimpsest-diff runs/mine runs/again\n"
    "Exit codes: 0 the same, 1 different, 2 usage, 3 a file is missing, damaged or of another "
    "kind.\n";

int diff(int count, char** values) {
  std::vector<std::string> paths;
  bool all = false;
  for (const std::string_view value : std::vector<std::string_view>(values + 1, values + count)) {
    if (value == "--help" || value == "-h") {
      print(kHelp);
      return 0;
    }
    if (value == "--all") {
      all = true;
    } else if (value.starts_with("-")) {
      throw UsageError(concat("'", value, "' is not an option; see --help"));
    } else {
      paths.emplace_back(value);
    }
  }
  if (paths.size() != 2)
    throw UsageError(concat("expected two runs or files, found ", paths.size(), "; see --help"));
  const RecordComparison comparison = compare(paths[0], paths[1], with_todays_settings);
  std::string text;
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
  return palimpsest::run_tool("palimpsest-diff", count, values, palimpsest::diff);
}
