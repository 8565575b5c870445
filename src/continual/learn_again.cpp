#include "learn_again.h"

#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/objective/objective.h"
#include "palimpsest/remerge/run_merge.h"
#include "palimpsest/train/task_passes.h"

namespace palimpsest {
namespace {

void check_samples(const Session& session, const std::string& what, std::int64_t tasks) {
  for (std::int64_t t = 0; t < tasks; ++t) {
    if (session.tasks()[static_cast<std::size_t>(t)].train.size() > 0) continue;
    throw InputError(concat(what, ": its statistics of task ", t + 1,
                            " are gathered from the task's training samples, which ",
                            session.config.protocol, " and ", session.config.pack,
                            " don't have; give those that the task was trained on"));
  }
}

}  // namespace

NamedTensors learn_again(Session& session, const SavedWeights& saved, std::int64_t tasks,
                         std::span<const std::unique_ptr<Classifier>> classifiers) {
  const std::string what =
      concat(saved.source, " with --classifier ",
             join(classifiers, ",", [](const auto& one) { return one->text(); }));
  if (saved.run.empty()) {
    throw UsageError(
        concat(what,
               ": expected a run folder, whose records give the weights after every task, found "
               "merged weights; --classifier local evaluates their heads"));
  }
  check_samples(session, what, tasks);
  const std::vector<Head> heads = heads_in(saved.memory);
  const std::unique_ptr<Objective> objective = objectives().make(session.config.objective);
  NamedTensors memory;
  std::size_t next = 0;
  AdaptedWeights before =
      make_weights(std::vector<float>(static_cast<std::size_t>(session.model->layout().size())));
  const auto learn = [&](const AdaptedWeights& merged) {
    const std::span<const Task> seen = session.tasks().first(next + 1);
    put_head(memory, static_cast<std::int64_t>(next), heads.at(next));
    TaskPasses passes(session, seen.back(), *objective, before);
    for (const auto& classifier : classifiers)
      classifier->learn(passes, merged, classes_seen(seen, session.config.scenario), memory);
    before = merged;
    ++next;
  };
  for (const auto& classifier : classifiers) {
    session.inputs.remarks.push_back(concat(
        classifier->text(), " was not part of the run: it has learned every task now, at the ",
        "merged weights after that task, from the training samples of ", session.config.pack));
  }
  if (saved.weights.empty()) {  // not adapted: every task was learned at the pretrained weights
    while (std::cmp_less(next, tasks)) learn(before);
    return memory;
  }
  RunRequest request{.run = saved.run,
                     .tasks = std::vector<std::int64_t>(static_cast<std::size_t>(tasks)),
                     .threads = static_cast<int>(session.config.device.threads),
                     .on_merged = [&](const std::vector<float>& merged) {
                       learn(*before == merged ? before : make_weights(merged));
                     }};
  std::iota(request.tasks.begin(), request.tasks.end(), std::int64_t{0});
  remerge_run(request);
  return memory;
}

}  // namespace palimpsest
