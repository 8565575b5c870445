#pragma once
// The method, from the first task to the last: train, merge, evaluate, record.
#include <functional>
#include <string>
#include <vector>

#include "palimpsest/continual/merge_stage.h"
#include "palimpsest/continual/open_run.h"
#include "palimpsest/continual/step_saver.h"
#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// What a finished stream leaves; on rank 0 alone.
struct RunResult {
  AccuracyMatrix accuracy;            // of the run's own classifier
  std::vector<OtherAccuracy> others;  // of the others
  std::vector<double> alphas;
  bool stopped = false;    // on request, before the end, with all saved; on every rank
  std::string stopped_at;  // in which phase, task and step
};

// Called on every rank before each task, and so may call collectives. A listener of events may not:
// rank 0 alone has any.
using BeforeTask = std::function<void(const Task&)>;

// What a task leaves besides the run's state.
struct LearnedTask {
  TrainedTask trained;
  MergeOutcome merged = {};
  TaskMetrics metrics = {};
};

// Collective. One task, from theta_hat_{t-1} to theta_hat_t: trained, merged and evaluated. Nothing
// is written but the steps that `saver` saves; null: none.
LearnedTask learn(OpenRun& run, const Task& task, StepSaver* saver);

// Collective. Runs or resumes the whole stream of a configuration.
RunResult run_stream(const RunConfig& config, HostGroup& group, Watchdog& watchdog,
                     const RunEvents& events, const FolderReady& folder_ready,
                     const BeforeTask& before_task);

}  // namespace palimpsest
