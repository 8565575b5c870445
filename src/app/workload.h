#pragma once
// The work of a run in counts, as the settings, the model and the stream say.
#include <cstdint>
#include <string>

#include "palimpsest/config/run_config.h"
#include "palimpsest/plan/workload.h"
#include "palimpsest/session/inputs.h"

namespace palimpsest {

// A stream that is not there yet: every task alike.
struct SketchedStream {
  std::string shape;  // published_shape()
  std::int64_t tasks = 10, train_samples = 2400, classes = 20, tokens = 0;
};

Workload workload_of(const RunConfig& config, const Inputs& inputs);
Workload workload_of(const RunConfig& config, const SketchedStream& stream);

}  // namespace palimpsest
