#pragma once
// The work of a run as costs follow from it: what the settings, the model and the stream say.
#include <cstdint>
#include <optional>
#include <string>

#include "palimpsest/config/run_config.h"
#include "palimpsest/plan/cost.h"
#include "palimpsest/plan/forecast.h"
#include "palimpsest/session/inputs.h"

namespace palimpsest {

struct Workload {
  ModelShape model;
  AdaptedLayout layout;
  std::int64_t tasks = 0, steps = 0;  // of the whole run
  std::int64_t train_samples = 0;     // of all tasks, once
  std::int64_t test_samples = 0;      // evaluated after each task, added up over the run
  std::int64_t most_classes = 0;      // of one task
  std::int64_t classes = 0;           // of all tasks
  std::int64_t longest_tokens = 0;    // of one sample
  double mean_tokens = 0;
};

// A stream that is not there yet: every task alike.
struct SketchedStream {
  std::string shape;  // published_shape()
  std::int64_t tasks = 10, train_samples = 0, classes = 0, tokens = 0;
};

Workload workload_of(const RunConfig& config, const Inputs& inputs);
Workload workload_of(const RunConfig& config, const SketchedStream& stream);

// How rank 0 trains when `world_size` ranks do.
TrainingShape training_shape(const RunConfig& config, const Workload& work, int world_size,
                             bool on_device);

// One task of average size, on one rank.
TaskWork task_work(const RunConfig& config, const Workload& work);

}  // namespace palimpsest
