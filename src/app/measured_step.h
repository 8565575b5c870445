#pragma once
// What training steps cost on this machine, measured: train_task() runs on a few batches and is
// stopped by the clock. Nothing of it is kept.
#include <cstdint>

#include "palimpsest/plan/forecast.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// Samples of a lane between which its time is taken to grow evenly.
struct LaneSizes {
  std::int64_t small = 1, large = 2;
};

// Collective: all ranks measure at the same time, since those of a node slow one another down, and
// the slowest counts. Three kinds of steps are timed: one lane of `sizes.small` samples, two of
// these, one of `sizes.large` (of fewer where that would take long). `operations` of one sample
// give Fisher and forward pass, at the rate of the training step. The session is of no use
// afterwards: its settings, lanes and collectives are those of the measurement.
ComputeCost measured_cost(Session& session, const Operations& operations, LaneSizes sizes);

}  // namespace palimpsest
