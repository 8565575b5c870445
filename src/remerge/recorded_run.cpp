#include "recorded_run.h"

#include <algorithm>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/records.h"
#include "palimpsest/remerge/merge_record.h"

namespace palimpsest {

bool RecordedRun::starts_from(std::int64_t t, Origin origin) const {
  const auto i = static_cast<std::size_t>(t);
  switch (origin) {
    case Origin::kMerged:
      return true;
    case Origin::kPretrained:  // as the first task did
      return tasks[i].record.merge.weights_before == tasks[0].record.merge.weights_before;
    case Origin::kLast:  // all of the task before was merged in
      return t == 0 || std::ranges::all_of(tasks[i - 1].record.merge.coefficients,
                                           [](double coefficient) { return coefficient == 1; });
  }
  throw Error("unknown origin");
}

std::string RecordedRun::content_sha256(std::int64_t t) const {
  const auto name = folder.task_file(t).lexically_relative(folder.path()).generic_string();
  return manifest.files.at(name).content_sha256;
}

RecordedRun open_recorded_run(const std::filesystem::path& path) {
  RecordedRun run{.folder = RunFolder(path)};
  std::optional<Manifest> manifest = run.folder.manifest();
  if (!manifest || manifest->tasks_done == 0) {
    throw InputError(concat(path.string(), ": expected a run folder with a finished task, found ",
                            describe_missing_run(path)));
  }
  run.folder.check_newest();
  run.manifest = *std::move(manifest);
  for (std::int64_t t = 0; t < run.manifest.tasks_done; ++t) {
    TaskRecord record = run.folder.task_summary(run.manifest, t).record;
    std::shared_ptr<const MergeRule> rule = parse_recorded_rule(record.merge.rule);
    run.tasks.push_back({.record = std::move(record), .rule = std::move(rule)});
  }
  return run;
}

bool Choice::has(std::int64_t task) const { return std::ranges::binary_search(tasks, task); }

Choice choose_tasks(const RunRequest& request, const RecordedRun& run) {
  const auto count = static_cast<std::int64_t>(run.tasks.size());
  const auto check = [&](std::int64_t task) {
    if (task >= 0 && task < count) return;
    throw UsageError(concat(request.run.string(), " has the tasks 1 to ", count,
                            "; there is no task ", task + 1));
  };
  Choice choice{.tasks = request.tasks, .removed = request.removed};
  std::ranges::for_each(choice.tasks, check);
  if (std::ranges::adjacent_find(choice.tasks, std::greater_equal<>()) != choice.tasks.end()) {
    throw UsageError("the tasks to merge: expected ascending numbers, each once");
  }
  if (choice.tasks.empty()) {
    choice.tasks.resize(run.tasks.size());
    std::iota(choice.tasks.begin(), choice.tasks.end(), 0);
  }
  if (choice.removed) {
    check(*choice.removed);
    std::erase(choice.tasks, *choice.removed);
    if (choice.tasks.empty()) throw UsageError("the only task cannot be removed: nothing is left");
  }
  choice.is_own_rule = request.rule.empty();
  if (!request.rule.empty()) {
    const std::string text = make_merge_rule(request.rule)->settings().text();
    choice.is_own_rule = std::ranges::all_of(
        std::span(run.tasks).first(static_cast<std::size_t>(choice.last()) + 1),
        [&](const RecordedTask& task) { return task.rule->settings().text() == text; });
  }
  return choice;
}

}  // namespace palimpsest
