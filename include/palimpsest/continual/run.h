#pragma once
// The method, from the first task to the last: train, merge, evaluate, record.
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

// Collective. Runs or resumes the whole stream of a configuration.
RunResult run_stream(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                     const RunEvents& events, const FolderReady& folder_ready);

}  // namespace palimpsest
