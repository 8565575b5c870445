#pragma once
// A run's task records without their bulk, and which of its tasks are to be merged.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/format/run_folder.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/remerge/run_merge.h"

namespace palimpsest {

struct RecordedTask {
  TaskRecord record;  // without lora, head and Fisher values
  std::shared_ptr<const MergeRule> rule;
};

struct RecordedRun {
  RunFolder folder;
  Manifest manifest = {};
  std::vector<RecordedTask> tasks = {};

  // Whether the training of task t, from 0, began where `origin` says.
  bool starts_from(std::int64_t t, Origin origin) const;
  std::string content_sha256(std::int64_t t) const;
};

// Throws InputError: no run there, no finished task, a record that is damaged, a frozen backbone.
RecordedRun open_recorded_run(const std::filesystem::path& path);

struct Choice {
  std::vector<std::int64_t> tasks;      // that are merged, ascending
  std::optional<std::int64_t> removed;  // whose share is taken out of the memory
  bool is_own_rule = false;             // of every task up to the last one

  std::int64_t last() const { return tasks.back(); }
  bool has(std::int64_t task) const;
};

// Throws UsageError on tasks that the run hasn't, or none.
Choice choose_tasks(const RunRequest& request, const RecordedRun& run);

// Why a merge isn't what training under it would have given, in plain words; "" for the run's own
// rule over its first tasks.
std::string post_hoc_reason(const Choice& choice, const RecordedRun& run, const MergeRule& rule);

std::string post_hoc_reason_of_adapters();

// The rules of the tasks up to `last`: "closed-form", or "closed-form, then average" where the rule
// was changed on the way.
std::string recorded_rules(const RecordedRun& run, std::int64_t last);

// Whether all of the run's tasks share one head (domain-incremental), which keeps training from
// task to task.
bool has_one_head(const RecordedRun& run);

// "1, 3 and 4" of tasks that count from 0.
std::string join_task_numbers(const std::vector<std::int64_t>& tasks);

}  // namespace palimpsest
