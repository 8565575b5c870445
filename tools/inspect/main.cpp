// palimpsest-inspect: shows what is in a run folder or a file of Palimpsest.
#include <string>
#include <string_view>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/remerge/cosines.h"
#include "palimpsest/report/merge_views.h"
#include "palimpsest/report/views.h"
#include "support/tool.h"

namespace {

constexpr std::string_view kHelp =
    "Usage: palimpsest-inspect RUN_OR_FILE [--json]\n"
    "       palimpsest-inspect RUN --cosines [--json]\n\n"
    "Shows a run folder (also while the run is going), a task record (tasks/task-0000.h5),\n"
    "a state (state-0000.h5), a step, merged weights, the curvature of an adapter or a pack, as\n"
    "tables, or with --json as one JSON object. Of runs, tasks and states only the numbers that "
    "sum\n"
    "them up are read, not their weights: damage there goes unnoticed.\n\n"
    "  --cosines   how much the run's task vectors point the same way: cosines between all "
    "pairs\n\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 a file is missing, damaged or of another kind.\n";

constexpr int kThreads = 2;

struct Arguments {
  std::string path;
  bool json = false;
  bool cosines = false;
  bool help = false;
};

Arguments parse(int count, char** values) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string_view value = values[i];
    if (value == "--json") {
      arguments.json = true;
    } else if (value == "--cosines") {
      arguments.cosines = true;
    } else if (value == "--help" || value == "-h") {
      arguments.help = true;
    } else if (value.starts_with("-") || !arguments.path.empty()) {
      throw palimpsest::UsageError(
          palimpsest::concat("expected one run folder or file, --cosines and --json, found also '",
                             value, "'; see --help"));
    } else {
      arguments.path = value;
    }
  }
  if (arguments.path.empty() && !arguments.help) {
    throw palimpsest::UsageError("expected a run folder or a file, found none; see --help");
  }
  return arguments;
}

int run(const Arguments& arguments) {
  std::string text(kHelp);
  if (!arguments.help) {
    const palimpsest::View view =
        arguments.cosines
            ? palimpsest::view_of_cosines(palimpsest::cosines_of_run(arguments.path, kThreads),
                                          arguments.path)
            : palimpsest::view_of(arguments.path);
    text = arguments.json ? view.json : view.text;
  }
  palimpsest::print(text);
  return 0;
}

}  // namespace

int main(int count, char** values) {
  return palimpsest::run_tool("palimpsest-inspect", [&] { return run(parse(count, values)); });
}
