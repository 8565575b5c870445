#pragma once
// How long a step and a task take on how many ranks, and where more ranks stop being faster: the
// work spread over them, what they exchange, and how fast samples come in.
#include <array>
#include <cstdint>

#include "palimpsest/plan/machine.h"
#include "palimpsest/plan/workload.h"

namespace palimpsest {

// Seconds of computation on one rank, measured or counted.
struct ComputeCost {
  double step = 0;       // of a training step besides its lanes: adapter, sum, optimizer
  double lane = 0;       // of a lane, however few samples it has
  double sample = 0;     // of a sample's forward and backward pass
  double fisher = 0;     // of a sample in the Fisher pass
  double forward = 0;    // of a sample's forward pass alone
  double input = 0;      // to read and prepare a sample
  double operation = 0;  // of a classifier, in float64
};

// Operations over a rate in operations per second; nothing else costs anything.
ComputeCost cost_at_rate(const Operations& operations, double rate);

// What a step's time consists of, and what keeps more ranks from being faster.
enum StepPart : std::size_t {
  kSamples,    // computation that grows with samples: the batch is used up, or not split evenly
  kFixedWork,  // computation of a step or lane that more ranks don't share
  kLatency,    // of the exchange of gradients, and the agreement after a step
  kBandwidth,  // of the exchange
  kInput,      // samples don't come in faster
  kStepParts,
};

// On a number of ranks, in seconds; of the rank that has the most to do.
struct Forecast {
  std::int64_t ranks = 1, lanes = 1;
  std::int64_t busy_samples = 0, busy_lanes = 0;  // of the busiest rank
  std::int64_t idle_ranks = 0;                    // without a sample in a step
  std::array<double, kStepParts> parts = {};      // of a step
  double step = 0;
  double efficiency = 1;  // a step on one rank, over ranks times this step
  double training = 0, fisher = 0, task = 0;
};

Forecast forecast(const Workload& work, const ComputeCost& cost, const Machine& machine,
                  std::int64_t ranks);

inline constexpr double kEfficient = 0.5;
inline constexpr std::int64_t kMostRanks = 4096;  // as far as is looked

// Over 1, 2, 4, ... kMostRanks ranks.
struct ScalingEnd {
  Forecast last;  // before `beyond`: efficient
  // The first that is less efficient than kEfficient, or no faster, and the part that most of the
  // time lost there comes from; ranks 0: none is.
  Forecast beyond = {.ranks = 0};
  StepPart limit = kSamples;
  Forecast fastest;  // the fewest ranks with the shortest step
};

ScalingEnd scaling_end(const Workload& work, const ComputeCost& cost, const Machine& machine);

}  // namespace palimpsest
