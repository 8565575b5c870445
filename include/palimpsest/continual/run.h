#pragma once
// The method, from the first task to the last: train, merge, evaluate, record.
#include <functional>
#include <string>
#include <vector>

#include "palimpsest/continual/open_run.h"
#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// What a finished stream leaves; on rank 0 alone.
struct RunResult {
  AccuracyMatrix accuracy;
  std::vector<double> alphas;
  bool stopped = false;    // on request, before the end, with all saved; on every rank
  std::string stopped_at;  // in which phase, task and step
};

// Called on every rank before each task, and so may call collectives. A listener of events may not:
// rank 0 alone has any.
using BeforeTask = std::function<void(const Task&)>;

// Collective. Runs or resumes the whole stream of a configuration.
RunResult run_stream(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                     const RunEvents& events, const FolderReady& folder_ready,
                     const BeforeTask& before_task);

}  // namespace palimpsest
