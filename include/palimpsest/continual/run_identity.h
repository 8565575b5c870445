#pragma once
// What names a run in its records, and the records made of what a task left.
#include <string>
#include <vector>

#include "palimpsest/continual/merge_stage.h"
#include "palimpsest/continual/state.h"
#include "palimpsest/data/task_stream.h"
#include "palimpsest/format/records.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {

struct RunIdentity {
  std::string backbone_name, backbone_sha256, backbone_shape_sha256;
  std::string pack_content_sha256;
  std::string config;    // JSON, operational keys left out
  std::string numerics;  // JSON: what the bits depend on
  std::uint64_t seed = 0;
  bool has_task_score = false;  // as in Inputs
};

TaskRecord make_task_record(const RunIdentity& run, const Task& task, TrainedTask trained,
                            MergeOutcome merged, TaskMetrics metrics);

// Without the merged weights, which need no copy until it is written. `tasks`: those done.
StateRecord make_state_record(const RunIdentity& run, std::span<const Task> tasks,
                              const AdaptedLayout& layout, const StreamState& state);

// The inverse: from a record to where the stream resumes.
StreamState to_stream_state(StateRecord record);

// Throws UsageError or InputError when the state belongs to another run than this one: settings
// (named one by one), backbone, pack, classes, or, unless allowed, what the bits depend on.
void check_resumable(const StateRecord& record, const RunIdentity& run, const RunConfig& config,
                     std::span<const Task> tasks);
void check_resumable(const StepRecord& record, const RunIdentity& run, const RunConfig& config,
                     std::span<const Task> tasks);

// What --fork or --continue names; "" in a run that begins from nothing.
const std::string& origin_path(const RunConfig& config);

// Throws likewise when a new run cannot resume from the state: another backbone, other adapted
// modules, other classes or test samples of the tasks done, or no memory that the run's parts need.
// Everything else may differ.
void check_forkable(const StateRecord& record, const RunIdentity& run, const RunConfig& config,
                    const AdaptedLayout& layout, std::span<const Task> tasks);

}  // namespace palimpsest
