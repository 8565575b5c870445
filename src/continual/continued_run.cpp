#include "continued_run.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/past_tasks.h"
#include "palimpsest/data/scenario.h"
#include "palimpsest/format/heads.h"

namespace palimpsest {

std::int64_t tasks_before(const OpenRun& run) {
  const std::int64_t count = run.folder.manifest().value().tasks_before;
  if (count == 0 && !run.session.config.continue_from.empty()) {
    throw UsageError(concat(
        "cannot resume from ", run.session.config.out, ", which was begun without ", "--continue ",
        run.session.config.continue_from, ": leave that out, or give the new run its own --out"));
  }
  return count;
}

std::string recall(OpenRun& run, const StateRecord& state, std::int64_t count) {
  std::vector<PastTask> past;
  for (std::size_t t = 0; t < static_cast<std::size_t>(count); ++t) {
    // Labels that all domains share don't say which samples of the pack were meant.
    const bool is_known = !shares_head(run.session.config.scenario);
    past.push_back({.classes = state.classes[t],
                    .test_samples = is_known ? state.accuracy.row(t).samples[t] : 0});
  }
  Inputs& inputs = run.session.inputs;
  put_before(recall_tasks(inputs.pack, past, inputs.test_per_class), inputs.tasks);
  check_scenario(inputs.tasks, run.session.config.scenario, run.session.config.protocol);

  std::string untested;
  for (const Task& task : run.session.tasks().first(past.size())) {
    if (task.test.size() == 0) untested += concat(untested.empty() ? "" : ", ", task.index + 1);
  }
  if (untested.empty()) return "";
  return concat("the test samples of the tasks learned before (", untested, ") are not in ",
                run.session.config.pack,
                ", or not as many as then: these tasks are not tested from now on");
}

void broadcast_recalled(OpenRun& run) {
  constexpr std::string_view kPhase = "broadcast of the tasks learned before";
  std::vector<PastTask> past;
  for (const Task& task : run.session.tasks()) {
    if (run.session.is_root() && is_past(task))
      past.push_back({.classes = task.classes, .test_samples = task.test.size()});
  }
  std::uint64_t count = past.size();
  run.session.group.broadcast(std::span(&count, 1), 0, kPhase);
  if (count == 0) return;
  past.resize(count);
  for (PastTask& task : past) {
    run.session.group.broadcast(task.classes, 0, kPhase);
    run.session.group.broadcast(std::span(&task.test_samples, 1), 0, kPhase);
  }
  if (!run.session.is_root())
    put_before(recall_tasks(run.session.inputs.pack, past, run.session.inputs.test_per_class),
               run.session.inputs.tasks);
  run.session.group.agree(hash_of(run.session.tasks()), "tasks, with those learned before (hash)",
                          kPhase);
}

}  // namespace palimpsest
