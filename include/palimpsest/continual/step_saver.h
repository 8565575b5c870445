#pragma once
// Saves a task in the middle of its training: every so many steps or minutes, always at its last
// step, and when the job is asked to stop.
#include <cstdint>
#include <functional>

#include "palimpsest/continual/open_run.h"
#include "palimpsest/core/stopwatch.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

// Collective: waits for what rank 0 is writing into the run folder; throws its error on every rank.
void finish_writing(OpenRun& run);

class StepSaver {
 public:
  explicit StepSaver(OpenRun& run) : run_(run) {}

  // Collective; after each step. All ranks agree on whether to save and whether to stop. Rank 0
  // copies what is to be saved and writes it while the training continues. Throws Stopped, on every
  // rank alike, when it is on the disk and the job is to stop; on rank 0, the error of a file that
  // could not be written.
  void after_step(const TaskProgress& counters, const std::function<TaskProgress()>& snapshot);

 private:
  enum class Wish : std::int64_t { kNone, kSave, kStop };
  Wish wish_here(const TaskProgress& counters) const;
  void start_writing(TaskProgress progress);

  OpenRun& run_;
  Stopwatch since_last_;
};

}  // namespace palimpsest
