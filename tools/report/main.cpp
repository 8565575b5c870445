// palimpsest-report: one run as a page, or several runs beside one another.
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/report/comparison.h"
#include "palimpsest/report/run_page.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

const Tool kTool = {
    .name = "palimpsest-report",
    .usage =
        R"(Usage: palimpsest-report RUN [--out FILE]
       palimpsest-report RUN RUN... [--out FILE] [--json | --csv]

One run folder: writes report.html and accuracy.csv into it, as the run itself does after each
task, or with --out the page alone to FILE. With --json or --csv, as several.

Several: groups runs that differ in seed and class order alone, and prints mean and sample
deviation of each group, and the differences between groups over the seeds and class orders
that they share.

Published numbers are shown with every condition that keeps a run from being compared with
them. A page is one file that loads nothing.
)",
    .more = R"(Example: palimpsest-report runs/seed-1 runs/seed-2 --out comparison.html
Exit codes: 0 done, 1 failed, 2 usage, 3 a file is missing, damaged or of another kind.
)"};

struct Arguments {
  std::filesystem::path out;
  bool json = false, csv = false;
};

Options options(Arguments& a) {
  return {option("out FILE", a.out, "the page to write: of one run, or of the comparison"),
          option("json", a.json, "one JSON object instead of tables"),
          option("csv", a.csv, "a line per run instead of tables")};
}

KnownSettings known_settings() {
  return {.all = config_json(all_settings(), RunConfig(), true),
          .recorded = config_json(all_settings(), RunConfig(), false)};
}

void report_one(const std::filesystem::path& run, const std::filesystem::path& out) {
  if (out.empty()) {
    write_run_page(run, known_settings());
    print((run / "report.html").string() + "\n" + (run / "accuracy.csv").string() + "\n");
  } else {
    write_file_atomically(out, run_page(run, known_settings()));
  }
}

int run(const Arguments& arguments, const std::vector<std::filesystem::path>& runs) {
  if (runs.empty()) throw UsageError("expected a run folder, found none; see --help");
  if (arguments.json && arguments.csv) throw UsageError("expected --json or --csv, found both");
  for (const std::filesystem::path& folder : runs) RunFolder(folder).check_newest();
  if (runs.size() == 1 && !arguments.json && !arguments.csv) {
    report_one(runs.front(), arguments.out);
    return 0;
  }
  const RunComparison comparison = compare_runs(runs);
  if (!arguments.out.empty()) write_file_atomically(arguments.out, comparison_page(comparison));
  print(arguments.json  ? comparison_json(comparison)
        : arguments.csv ? comparison_csv(comparison)
                        : comparison_text(comparison));
  return 0;
}

}  // namespace
}  // namespace palimpsest

int main(int count, char** values) {
  using namespace palimpsest;
  Arguments arguments;
  return run_tool(kTool, count, values, options(arguments), [&](const auto& words) {
    return run(arguments, {words.begin(), words.end()});
  });
}
