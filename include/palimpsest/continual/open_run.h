#pragma once
// A run that is ready to learn its next task: inputs opened, model placed, ranks agreed, folder
// made or found.
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/stop_request.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/config/run_config.h"
#include "palimpsest/continual/inputs.h"
#include "palimpsest/continual/run_identity.h"
#include "palimpsest/continual/state.h"
#include "palimpsest/core/run_events.h"
#include "palimpsest/device/placement.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/merge/fisher_scale.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/train/training_context.h"

namespace palimpsest {

struct OpenRun {
  RunConfig config;  // with the device that was chosen
  HostGroup& group;
  Watchdog& watchdog;
  const RunEvents& events;
  StopRequest stop;

  Inputs inputs;
  Placement placement;
  PixelSource pixels;
  std::unique_ptr<Backbone> model;
  std::unique_ptr<MergeRule> rule;
  FisherScale fisher_scale;
  RunIdentity identity;
  RunFolder folder;
  FolderLock lock;  // on rank 0
  StreamState state;
  std::optional<TaskProgress> progress;  // of the next task, where its training has begun already
  std::string state_content_sha256;      // of the state as saved; "" before the first; on rank 0
  std::vector<double> alphas;            // of the tasks done; on rank 0

  bool is_root() const { return group.rank() == 0; }
  std::span<const Task> tasks() const { return inputs.tasks; }
  std::span<const Task> remaining() const {
    return tasks().subspan(static_cast<std::size_t>(state.tasks_done));
  }
  // This task and those before it.
  std::span<const Task> seen(const Task& task) const {
    return tasks().first(static_cast<std::size_t>(task.index) + 1);
  }
  SampleReader reader() { return {inputs.pack, inputs.transform, config.seed, pixels}; }
  TrainingContext context() {
    return {config,   lanes_of(config, group.size()),
            reader(), *model,
            group,    *placement.collectives,
            watchdog, stop,
            events,   placement.make_graph};
  }
};

// Called on rank 0 once the run folder exists and its logs were cut to where the stream goes on:
// listeners may open them. so_far: of the tasks that are done.
using FolderReady = std::function<void(const RunFolder& folder, const AccuracyMatrix& so_far)>;

// Collective. What open_run() does and refuses up to the first write: inputs, weights, device,
// agreement of the ranks, the folder's state or the origin's. No file is made or changed; a pack is
// read where it is, without --stage, and no event is told.
OpenRun open_without_writing(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                             const RunEvents& events);

// Collective. Opens the inputs, makes or resumes the folder (--resume), gives every rank the state,
// and tells RunStarted. Throws before anything is written when an input is bad, the ranks differ,
// or the folder belongs to another run.
OpenRun open_run(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                 const RunEvents& events, const FolderReady& folder_ready);

}  // namespace palimpsest
