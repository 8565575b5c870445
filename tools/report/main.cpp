// palimpsest-report: one run as a page, or several runs beside one another.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/report/comparison.h"
#include "palimpsest/report/run_page.h"
#include "support/tool.h"

namespace {

constexpr std::string_view kHelp =
    "Usage: palimpsest-report RUN [--out FILE]\n"
    "       palimpsest-report RUN RUN... [--out FILE] [--json | --csv]\n\n"
    "One run folder: writes report.html and accuracy.csv into it, as the run itself does after "
    "each\n"
    "task, or with --out the page alone to FILE. With --json or --csv, as several.\n\n"
    "Several: groups runs that differ in seed and class order alone, and prints mean and sample\n"
    "deviation of each group, and the differences between groups over the seeds and class orders\n"
    "that they share; as tables, as one JSON object (--json) or with a line per run (--csv). "
    "--out\n"
    "writes the comparison as a page, too.\n\n"
    "Published numbers are shown with every condition that keeps a run from being compared with\n"
    "them. A page is one file that loads nothing.\n\n"
    "Example: palimpsest-report runs/seed-1 runs/seed-2 --out comparison.html\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 a file is missing, damaged or of another kind.\n";

struct Arguments {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path out;
  bool json = false, csv = false, help = false;
};

Arguments parse(int count, char** values) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string_view value = values[i];
    if (value == "--json") {
      arguments.json = true;
    } else if (value == "--csv") {
      arguments.csv = true;
    } else if (value == "--help" || value == "-h") {
      arguments.help = true;
    } else if (value == "--out" && i + 1 < count) {
      arguments.out = values[++i];
    } else if (value.starts_with("-")) {
      throw palimpsest::UsageError(palimpsest::concat(
          "expected run folders, --out FILE, --json or --csv, found '", value, "'; see --help"));
    } else {
      arguments.runs.emplace_back(value);
    }
  }
  if (arguments.help) return arguments;
  if (arguments.runs.empty())
    throw palimpsest::UsageError("expected a run folder, found none; see --help");
  if (arguments.json && arguments.csv)
    throw palimpsest::UsageError("expected --json or --csv, found both");
  return arguments;
}

palimpsest::KnownSettings known_settings() {
  using namespace palimpsest;
  return {.all = config_json(all_settings(), RunConfig(), true),
          .recorded = config_json(all_settings(), RunConfig(), false)};
}

void report_one(const std::filesystem::path& run, const std::filesystem::path& out) {
  if (out.empty()) {
    palimpsest::write_run_page(run, known_settings());
    palimpsest::print((run / "report.html").string() + "\n" + (run / "accuracy.csv").string() +
                      "\n");
  } else {
    palimpsest::write_file_atomically(out, palimpsest::run_page(run, known_settings()));
  }
}

int run(const Arguments& arguments) {
  using namespace palimpsest;
  if (arguments.help) {
    print(kHelp);
    return 0;
  }
  for (const std::filesystem::path& folder : arguments.runs) RunFolder(folder).check_newest();
  if (arguments.runs.size() == 1 && !arguments.json && !arguments.csv) {
    report_one(arguments.runs.front(), arguments.out);
    return 0;
  }
  const Comparison comparison = compare_runs(arguments.runs);
  if (!arguments.out.empty()) write_file_atomically(arguments.out, comparison_page(comparison));
  print(arguments.json  ? comparison_json(comparison)
        : arguments.csv ? comparison_csv(comparison)
                        : comparison_text(comparison));
  return 0;
}

}  // namespace

int main(int count, char** values) {
  return palimpsest::run_tool("palimpsest-report", count, values,
                              [](int n, char** words) { return run(parse(n, words)); });
}
