// palimpsest inspect: shows what is in a run folder or a file of Palimpsest.
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/remerge/run_merge.h"
#include "palimpsest/report/views.h"
#include "support/tool.h"

namespace palimpsest {
namespace {

const Tool kTool = {.name = "palimpsest inspect",
                    .usage =
                        R"(Usage: palimpsest inspect RUN_OR_FILE [--json]
       palimpsest inspect RUN --cosines [--json]
       palimpsest inspect RUN [--frozen RUN] [--joint RUN] [--json]
       palimpsest inspect RUN RUN... [--json]

Shows a run folder (also while the run is going), a task record (tasks/task-0000.h5),
a state (state-0000.h5), a step, merged weights, the curvature of an adapter or a pack, as
tables, or with --json as one JSON object. The newest state and task of a run, and a record
that is given itself, are checked against the run's manifest, and refused where they are
damaged. Of earlier tasks only the numbers that sum them up are read: palimpsest verify
finds damage in the rest. Several runs are repetitions with other seeds: mean and sample
deviation are shown. With --frozen or --joint it shows where the accuracy on each task is
lost: confusion among tasks, the merge, training.
)",
                    .more = R"(Example: palimpsest inspect runs/mine/tasks/task-0001.h5
Exit codes: 0 done, 1 failed, 2 usage, 3 a file is missing, damaged or of another kind.
)"};

constexpr int kThreads = 2;

struct Arguments {
  std::filesystem::path frozen, joint;
  bool json = false;
  bool cosines = false;
};

Options options(Arguments& a) {
  return {option("cosines", a.cosines,
                 "how much the run's task vectors point the same way: cosines between all pairs"),
          option("frozen RUN", a.frozen, "a run with adapter = none: the lower bound"),
          option("joint RUN", a.joint,
                 "a run that learned all tasks at once (palimpsest train --joint): the upper one"),
          option("json", a.json, "one JSON object instead of tables")};
}

View requested_view(const Arguments& arguments, const std::vector<std::filesystem::path>& paths) {
  if (paths.empty()) throw UsageError("expected a run folder or a file, found none; see --help");
  const bool bounded = !arguments.frozen.empty() || !arguments.joint.empty();
  if (arguments.cosines && (bounded || paths.size() > 1))
    throw UsageError("--cosines is of one run, found more; see --help");
  if (arguments.cosines)
    return cosines_view(task_vector_cosines(paths[0], kThreads), paths[0].string());
  if (bounded && paths.size() > 1)
    throw UsageError("--frozen and --joint bound one run, found several; see --help");
  if (bounded) return decomposition_view(paths[0], arguments.frozen, arguments.joint);
  return paths.size() > 1 ? repetitions_view(paths) : make_view(paths[0], arguments.json);
}

}  // namespace
}  // namespace palimpsest

int main(int count, char** values) {
  using namespace palimpsest;
  Arguments arguments;
  return run_tool(kTool, count, values, options(arguments), [&](const auto& paths) {
    const View view = requested_view(arguments, {paths.begin(), paths.end()});
    print(arguments.json ? view.json : view.text);
    return 0;
  });
}
