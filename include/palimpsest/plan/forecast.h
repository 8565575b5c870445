#pragma once
// How long a step and a task take on how many ranks: the work dealt over them, what they exchange,
// and how fast samples come in.
#include <cstdint>

#include "palimpsest/plan/cost.h"
#include "palimpsest/plan/exchange.h"
#include "palimpsest/plan/machine.h"

namespace palimpsest {

// Seconds of computation on one rank, measured or worked out.
struct ComputeCost {
  double step = 0;     // of a training step besides its lanes: adapter, sum, optimizer
  double lane = 0;     // of a lane, however few samples it has
  double sample = 0;   // of a sample's forward and backward pass
  double fisher = 0;   // of a sample in the Fisher pass
  double forward = 0;  // of a sample's forward pass alone
  double input = 0;    // to read and prepare a sample
};

// Operations over a rate in operations per second; nothing else costs anything.
ComputeCost cost_at_rate(const Operations& operations, double rate);

// One task of a stream, of average size.
struct TaskWork {
  std::int64_t steps = 0, batch = 0;
  std::int64_t train_samples = 0;
  std::int64_t test_samples = 0;  // of all tasks seen, on average over the stream
  std::int64_t lanes = 0;
  bool ordered = true;    // lanes are added in order; else every rank has one lane, all-reduced
  bool loss_pass = true;  // the secant scale's: a forward pass over the training samples
  bool fisher_pass = true;
  // Forward passes over the training samples after a merge, on average over the stream: the error
  // budget's, and features to train heads on again.
  double merge_passes = 0;
  std::int64_t trained = 0;  // parameters: a step's gradient
  std::int64_t adapted = 0;  // weights: Fisher and merge
};

// The work over `ranks` ranks: as many lanes as ranks where they are fewer.
TaskWork over_ranks(TaskWork work, std::int64_t ranks);

// Seconds of one training step, of the rank that needs the most of each.
struct StepForecast {
  double samples = 0;     // computation that grows with the samples of the busiest rank
  double fixed = 0;       // computation that does not
  double input = 0;       // waiting for samples: they are read when their lane begins
  ExchangeCost exchange;  // of gradients, and the agreement after a step
  double compute() const { return samples + fixed; }
  double seconds() const { return compute() + input + exchange.seconds(); }
};

struct TaskForecast {
  std::int64_t busy_samples = 0;  // of the busiest rank in a step
  std::int64_t idle_ranks = 0;    // without a sample in a step
  StepForecast step;
  double training = 0, fisher = 0, evaluation = 0, merge = 0;
  double seconds() const { return training + fisher + evaluation + merge; }
};

// `work` as over_ranks() gives it.
TaskForecast forecast(const TaskWork& work, const ComputeCost& cost, const Machine& machine,
                      std::int64_t ranks);

}  // namespace palimpsest
