// palimpsest-inspect: shows what is in a run folder or a file of Palimpsest.
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/remerge/cosines.h"
#include "palimpsest/report/merge_views.h"
#include "palimpsest/report/views.h"
#include "support/tool.h"

namespace {

constexpr std::string_view kHelp =
    "Usage: palimpsest-inspect RUN_OR_FILE [--json]\n"
    "       palimpsest-inspect RUN --cosines [--json]\n"
    "       palimpsest-inspect RUN [--frozen RUN] [--joint RUN] [--json]\n"
    "       palimpsest-inspect RUN RUN... [--json]\n\n"
    "Shows a run folder (also while the run is going), a task record (tasks/task-0000.h5),\n"
    "a state (state-0000.h5), a step, merged weights, the curvature of an adapter or a pack, as\n"
    "tables, or with --json as one JSON object. The newest state and task of a run, and a record\n"
    "that is given itself, are checked against the run's manifest, and refused where they are\n"
    "damaged. Of earlier tasks only the numbers that sum them up are read: palimpsest-verify\n"
    "finds damage in the rest.\n\n"
    "  --cosines                   how much the run's task vectors point the same way: cosines\n"
    "                              between all pairs\n"
    "  --frozen RUN, --joint RUN   where the accuracy on each task is lost: confusion among "
    "tasks,\n"
    "                              the merge, training; between a run with adapter = none and one\n"
    "                              that learned all tasks at once (palimpsest train --joint)\n"
    "  RUN RUN...                  repetitions with other seeds: mean and sample deviation\n"
    "  --json                      one JSON object instead of tables\n\n"
    "Example: palimpsest-inspect runs/mine/tasks/task-0001.h5\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 a file is missing, damaged or of another kind.\n";

constexpr int kThreads = 2;

struct Arguments {
  std::vector<std::filesystem::path> paths;
  std::string frozen, joint;
  bool json = false;
  bool cosines = false;
  bool help = false;
};

Arguments parse(std::span<char*> values) {
  Arguments arguments;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const std::string_view value = values[i];
    if (value == "--json") {
      arguments.json = true;
    } else if (value == "--cosines") {
      arguments.cosines = true;
    } else if (value == "--help" || value == "-h") {
      arguments.help = true;
    } else if ((value == "--frozen" || value == "--joint") && i + 1 < values.size()) {
      (value == "--frozen" ? arguments.frozen : arguments.joint) = values[++i];
    } else if (value.starts_with("-")) {
      throw palimpsest::UsageError(
          palimpsest::concat("expected run folders or a file, --cosines, --frozen RUN, --joint RUN "
                             "and --json, found also '",
                             value, "'; see --help"));
    } else {
      arguments.paths.emplace_back(value);
    }
  }
  if (arguments.paths.empty() && !arguments.help) {
    throw palimpsest::UsageError("expected a run folder or a file, found none; see --help");
  }
  return arguments;
}

palimpsest::View view_of(const Arguments& arguments) {
  const bool bounded = !arguments.frozen.empty() || !arguments.joint.empty();
  if (arguments.cosines && (bounded || arguments.paths.size() > 1))
    throw palimpsest::UsageError("--cosines is of one run, found more; see --help");
  if (arguments.cosines) {
    const std::filesystem::path& run = arguments.paths[0];
    return palimpsest::view_of_cosines(palimpsest::cosines_of_run(run, kThreads), run.string());
  }
  if (bounded && arguments.paths.size() > 1)
    throw palimpsest::UsageError("--frozen and --joint bound one run, found several; see --help");
  if (bounded)
    return palimpsest::view_of_decomposition(arguments.paths[0], arguments.frozen, arguments.joint);
  if (arguments.paths.size() > 1) return palimpsest::view_of_repetitions(arguments.paths);
  return palimpsest::view_of(arguments.paths[0]);
}

int run(const Arguments& arguments) {
  if (arguments.help) {
    palimpsest::print(kHelp);
  } else {
    const palimpsest::View view = view_of(arguments);
    palimpsest::print(arguments.json ? view.json : view.text);
  }
  return 0;
}

}  // namespace

int main(int count, char** values) {
  return palimpsest::run_tool("palimpsest-inspect", count, values, [](int n, char** words) {
    return run(parse({words, static_cast<std::size_t>(n)}));
  });
}
