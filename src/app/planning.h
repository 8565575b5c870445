#pragma once
// What a plan is made of: the work of a run in counts, what it takes on this machine, and a
// forecast over many ranks.
#include <cstdint>
#include <span>
#include <string>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/config/run_config.h"
#include "palimpsest/method/method.h"
#include "palimpsest/plan/forecast.h"
#include "palimpsest/plan/workload.h"
#include "palimpsest/session/inputs.h"

namespace palimpsest {

// A stream that is not there yet: every task alike.
struct SketchedStream {
  std::string shape;  // shape_without_weights()
  std::int64_t tasks = 10, train_samples = 2400, classes = 20, tokens = 0;
  std::int64_t completion_tokens = 0;  // of these, where a decoder predicts tokens; 0: all but one

  friend bool operator==(const SketchedStream&, const SketchedStream&) = default;
};

// As the settings, the model and the stream say.
Workload make_workload(const RunConfig& config, const Inputs& inputs);
Workload make_workload(const RunConfig& config, const SketchedStream& stream);

// How many training samples of a task the Fisher pass sees.
std::int64_t measured_samples(const Curvature& curvature, const Task& task);

// Of all classifiers together.
ClassifierCost classifier_cost(const Method& method, std::int64_t samples, std::int64_t features,
                               std::int64_t classes);

struct MeasuredCosts {
  ComputeCost cost = {};  // of the slowest of the ranks, which measure at the same time
  // Bytes of rank 0, in host memory: with the model opened; at most so far; and what is counted on
  // top of that: activations of the samples of a lane that were left out, for time; features of
  // more samples and classes; a save.
  double opened = 0, peak = 0, counted = 0;
  double sharded = 0;         // bytes that other ranks keep (--shard-memory), counted
  double measured_share = 1;  // of the samples of a lane
};

// Measured: the run's own code trains, merges and evaluates a few of its samples. Nothing of it is
// kept. Collective. As the run over `ranks` ranks, on the ranks that are there. Throws UsageError
// where the first task has less than two samples, and what the run would throw.
MeasuredCosts measure_costs(const RunConfig& config, Inputs inputs, const Workload& work,
                            std::int64_t ranks, HostGroup& group, Watchdog& watchdog);

// Continues "A rank's memory is not enough": the fewest settings with which it is, by the counts;
// else what the work takes with all of them. peak, room: bytes that it takes now, and may take.
std::string saving_sentence(const Workload& work, std::int64_t ranks, bool on_device, double peak,
                            double room);

// A line for each number of ranks; then up to how many it scales, and what limits it beyond.
std::string scaling_report(const Workload& work, const ComputeCost& cost, const Machine& machine,
                           std::span<const std::int64_t> world_sizes);

}  // namespace palimpsest
