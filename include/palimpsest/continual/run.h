#pragma once
// The method, from the first task to the last: train, merge, evaluate, record.
#include <filesystem>
#include <functional>
#include <vector>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/config/run_config.h"
#include "palimpsest/core/run_events.h"
#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// What a finished stream leaves; on rank 0 alone.
struct RunResult {
  AccuracyMatrix accuracy;
  std::vector<double> alphas;
};

// Called on rank 0 once the run folder exists and its logs were cut to where the stream goes on:
// listeners may open them.
using FolderReady = std::function<void(const std::filesystem::path& folder)>;

// Collective. Runs or resumes the whole stream of a configuration.
RunResult run_stream(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                     const RunEvents& events, const FolderReady& folder_ready);

}  // namespace palimpsest
