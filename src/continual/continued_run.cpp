#include "continued_run.h"

#include <map>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"

namespace palimpsest {
namespace {

using SamplesByClass = std::map<std::string_view, std::vector<std::int64_t>>;

// Of each class the first `test_per_class` (0: all).
SamplesByClass find_test_samples(const Pack& pack, std::int64_t test_per_class) {
  SamplesByClass samples;
  for (std::int64_t i = 0; i < pack.size(); ++i) {
    if (!pack.is_test(i)) continue;
    std::vector<std::int64_t>& own =
        samples[pack.classes()[static_cast<std::size_t>(pack.label(i))]];
    if (test_per_class == 0 || std::ssize(own) < test_per_class) own.push_back(i);
  }
  return samples;
}

// Those of these classes, where they are as many as then: their data is mostly gone.
LabelledSamples test_set(const SamplesByClass& samples, const std::vector<std::string>& classes,
                         std::int64_t expected) {
  LabelledSamples test;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto found = samples.find(classes[c]);
    if (found == samples.end()) return {};
    test.samples.insert(test.samples.end(), found->second.begin(), found->second.end());
    test.targets.insert(test.targets.end(), found->second.size(), static_cast<std::int64_t>(c));
  }
  return test.size() == expected ? test : LabelledSamples{};
}

}  // namespace

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
  Inputs& inputs = run.session.inputs;
  const Scenario scenario = run.session.config.scenario;
  const SamplesByClass samples = find_test_samples(inputs.pack, inputs.test_per_class);
  std::vector<Task> past(static_cast<std::size_t>(count));
  std::string untested;
  std::size_t place = 0;  // of a class among all
  for (std::size_t t = 0; t < past.size(); ++t) {
    past[t].classes = state.classes[t];
    for (std::size_t c = 0; !state.class_scores.empty() && c < past[t].classes.size(); ++c, ++place)
      past[t].scores.push_back(static_cast<AnswerScore>(state.class_scores[place]));
    // Labels that all domains share don't say which samples of the pack were meant.
    if (!shares_head(scenario))
      past[t].test = test_set(samples, past[t].classes, state.accuracy.row(t).samples[t]);
    if (past[t].test.size() == 0) untested += concat(untested.empty() ? "" : ", ", t + 1);
  }
  put_before(std::move(past), inputs.tasks);
  inputs.has_task_score = inputs.has_task_score || has_task_score(inputs.tasks);
  run.identity.has_task_score = inputs.has_task_score;
  check_scenario(inputs.tasks, scenario, run.session.config.protocol);
  if (untested.empty()) return "";
  return concat("the test samples of the tasks learned before (", untested, ") are not in ",
                run.session.config.pack,
                ", or not as many as then: these tasks are not tested from now on");
}

void broadcast_recalled(OpenRun& run) {
  constexpr std::string_view kPhase = "broadcast of the tasks learned before";
  const Session& session = run.session;
  std::vector<Task> past;
  for (const Task& task : session.tasks())
    if (session.is_root() && task.is_past()) past.push_back(task);
  std::uint64_t count = past.size();
  session.group.broadcast(std::span(&count, 1), 0, kPhase);
  past.resize(count);
  for (Task& task : past) {
    session.group.broadcast(task.classes, 0, kPhase);
    session.group.broadcast(task.scores, 0, kPhase);
    session.group.broadcast(task.test.samples, 0, kPhase);
    session.group.broadcast(task.test.targets, 0, kPhase);
  }
  if (session.is_root()) return;
  Inputs& inputs = run.session.inputs;
  inputs.has_task_score = inputs.has_task_score || has_task_score(past);
  put_before(std::move(past), inputs.tasks);
}

}  // namespace palimpsest
