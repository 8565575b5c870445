#pragma once
// What names a run in its records, and the records made of what a task left.
#include <string>
#include <vector>

#include "palimpsest/continual/merge_on_root.h"
#include "palimpsest/continual/state.h"
#include "palimpsest/data/task_stream.h"
#include "palimpsest/format/records.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {

struct RunIdentity {
  std::string backbone_name, backbone_sha256;
  std::string pack_content_sha256;
  std::string config;    // JSON, operational keys left out
  std::string numerics;  // JSON: what the bits rest on
  std::uint64_t seed = 0;
};

// `head`: as used from now on (after a refit, where there is one).
TaskRecord make_task_record(const RunIdentity& run, const Task& task, const TrainedTask& trained,
                            const Head& head, const MergeOutcome& merged,
                            const TaskMetrics& metrics);

// `tasks`: those done.
StateRecord make_state_record(const RunIdentity& run, std::span<const Task> tasks,
                              const AdaptedLayout& layout, const StreamState& state,
                              std::string_view fisher_scale);

// The inverse: from a record to where the stream goes on.
StreamState state_of(const StateRecord& record);

// Throws UsageError or InputError when the state belongs to another run than this one: settings
// (named one by one), backbone, pack, classes, or, unless allowed, what the bits rest on.
void check_resumable(const StateRecord& record, const RunIdentity& run, const RunConfig& config,
                     std::span<const Task> tasks);

}  // namespace palimpsest
