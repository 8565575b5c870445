#pragma once
// What a run takes on this machine, measured: its own code trains, merges and evaluates a few of
// its samples. Nothing of it is kept.
#include <cstdint>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/plan/forecast.h"
#include "palimpsest/plan/workload.h"
#include "palimpsest/session/inputs.h"

namespace palimpsest {

struct Rehearsed {
  ComputeCost cost = {};  // of the slowest of the ranks, which measure at the same time
  // Bytes of rank 0, in host memory: with the model opened; at most so far; and what is counted on
  // top of that: activations of the samples of a lane that were left out, for time; features of
  // more samples and classes.
  double opened = 0, peak = 0, counted = 0;
  double measured_share = 1;  // of the samples of a lane
};

// Collective. As the run over `ranks` ranks, on the ranks that are there. Throws UsageError where
// the first task has less than two samples, and what the run would throw.
Rehearsed rehearse(const RunConfig& config, Inputs inputs, const Workload& work, std::int64_t ranks,
                   HostGroup& group, Watchdog& watchdog);

}  // namespace palimpsest
