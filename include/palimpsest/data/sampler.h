#pragma once
// Which samples make the global batch of a step: a pure function of (seed, task, step), the same on
// every rank.
#include <cstdint>
#include <vector>

#include "palimpsest/config/run_config.h"

namespace palimpsest {

// How the training samples of a task become batches.
struct BatchSettings {
  std::uint64_t seed = 1;
  std::int64_t batch = 256;  // samples, over all ranks
  bool drop_last = false;    // the last batch of a pass, where it is short
  std::int64_t passes = 10;  // over the samples
};
BatchSettings batch_settings(const RunConfig& config);

class Sampler {
 public:
  // `samples` training samples of a task; each pass is its own permutation. Throws UsageError when
  // drop_last leaves no batch.
  Sampler(const BatchSettings& settings, std::int64_t task, std::int64_t samples);

  std::int64_t steps_per_pass() const { return steps_per_pass_; }
  std::int64_t steps() const { return settings_.passes * steps_per_pass_; }  // over all passes

  // Positions 0 .. samples-1 of the batch of a step (counted over all passes), in order.
  std::vector<std::int64_t> batch(std::int64_t step) const;

 private:
  BatchSettings settings_;
  std::int64_t task_, samples_, steps_per_pass_;
  mutable std::int64_t pass_ = -1;  // of the permutation kept, so that a step doesn't draw it again
  mutable std::vector<std::int64_t> order_;
};

// Steps of a task of `samples` training samples, over all passes. Throws UsageError as Sampler
// does.
std::int64_t training_steps(const BatchSettings& settings, std::int64_t task, std::int64_t samples);

// Splits a batch into lanes that are even in samples and, as far as may be, in tokens: the longest
// samples first, in the order of the lanes and then in reverse. `lengths`: tokens of each sample of
// the batch.
std::vector<std::vector<std::int64_t>> split_into_lanes(const std::vector<std::int64_t>& batch,
                                                        const std::vector<std::int64_t>& lengths,
                                                        std::int64_t lanes);

}  // namespace palimpsest
