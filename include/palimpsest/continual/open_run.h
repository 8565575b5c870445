#pragma once
// A run that is ready to learn its next task: session opened, ranks agreed, folder made or found.
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/continual/folder_writer.h"
#include "palimpsest/continual/run_identity.h"
#include "palimpsest/continual/state.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/method/method.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

struct OpenRun {
  Session session;
  Method method;
  RunIdentity identity;
  RunFolder folder;
  FolderLock lock = {};  // on rank 0
  StreamState state;
  std::optional<TaskProgress> progress =
      {};                                 // of the next task, where its training has begun already
  std::string state_content_sha256 = {};  // of the state as saved; "" before the first; on rank 0
  std::vector<double> alphas = {};        // of the tasks done; on rank 0
  // Of rank 0. The last member: what it writes into is destroyed after it has ended.
  std::unique_ptr<FolderWriter> writer = std::make_unique<FolderWriter>();

  std::span<const Task> remaining() const {
    return session.tasks().subspan(static_cast<std::size_t>(state.tasks_done));
  }
  // This task and those before it.
  std::span<const Task> seen(const Task& task) const {
    return session.tasks().first(static_cast<std::size_t>(task.index) + 1);
  }
};

// Called on rank 0 once the run folder exists and its logs were cut to where the stream resumes:
// listeners may open them. state: after the tasks that are done.
using FolderReady = std::function<void(const RunFolder& folder, const StreamState& state)>;

// Collective. What open_run() does and refuses up to the first write: inputs, weights, device,
// agreement of the ranks, the folder's state or the origin's. No file is made or changed; a pack is
// read where it is, without --stage, and no event is published.
OpenRun open_without_writing(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                             const RunEvents& events);

// Collective. Opens the inputs, makes or resumes the folder (--resume), gives every rank the state,
// and publishes RunStarted. Throws before anything is written when an input is bad, the ranks
// differ, or the folder belongs to another run.
OpenRun open_run(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                 const RunEvents& events, const FolderReady& folder_ready);

}  // namespace palimpsest
