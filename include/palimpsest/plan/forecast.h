#pragma once
// How long a task will take on how many ranks: the work dealt over them, and what they exchange.
#include <cstdint>
#include <string_view>

#include "palimpsest/plan/cost.h"

namespace palimpsest {

// One rank's processor. Rates are the vendor's for dense matrices; `share` is the part of them that
// a training step is taken to reach.
struct Device {
  std::string_view name;
  double fp32 = 0, bf16 = 0;  // operations per second
  double share = 0.5;
  double memory = 0;           // bytes; 0: not known
  double node_bandwidth = 0;   // bytes per second and rank, inside a node
  double fleet_bandwidth = 0;  // the same between nodes
  std::int64_t ranks_per_node = 8;
};

// "a100", "h100", "h200": SXM boards of 8, with one 400 Gbit/s (a100: 200) adapter each. Throws
// UsageError with the known names.
Device published_device(std::string_view name);

// One task of a stream, of average size.
struct TaskWork {
  std::int64_t steps = 0, batch = 0;
  std::int64_t train_samples = 0;
  std::int64_t test_samples = 0;  // of all tasks seen, on average over the stream
  std::int64_t lanes = 0;
  bool ordered = true;    // lanes are added in order; else one all-reduce
  bool loss_pass = true;  // the secant scale's: a forward pass over the training samples
  bool fisher_pass = true;
  bool bf16 = false;
};

// Bytes that a rank sends in a step, to add `numbers` float32 of every lane: slices of its lanes
// to the ranks that add them up, then the sum of its own slice to all others.
double exchanged_bytes(std::int64_t numbers, std::int64_t lanes, std::int64_t ranks, bool ordered);

struct TaskForecast {
  std::int64_t idle_ranks = 0;                 // without a sample in a step
  double step_compute = 0, step_exchange = 0;  // seconds
  double training = 0, fisher = 0, evaluation = 0, merge = 0;
  double seconds() const { return training + fisher + evaluation + merge; }
};

TaskForecast forecast(const TaskWork& work, const Operations& operations,
                      const ParameterCounts& parameters, const Device& device, std::int64_t ranks);

}  // namespace palimpsest
