#pragma once
// What a run will cost, before anything runs: parameters, memory, arithmetic. Pure functions of
// shapes.
#include <cstdint>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/plan/model_shape.h"

namespace palimpsest {

// How a task is trained. rank 0: frozen backbone. The lanes of a rank run one after another, so
// that one lane's activations are held at a time, and every lane of the rank keeps its gradient.
struct TrainingShape {
  std::int64_t rank = 0;          // of the adapter
  std::int64_t classes = 0;       // of the task
  std::int64_t lanes = 1;         // of this process
  std::int64_t lane_samples = 0;  // in one lane
  std::int64_t tokens = 0;        // of the longest sample, to which the lane is padded
};

struct ParameterCounts {
  std::int64_t backbone = 0;  // without heads
  std::int64_t adapted = 0;   // weights that a merge can change
  std::int64_t adapter = 0;   // A and B, trained per task
  std::int64_t head = 0;      // weight and bias, trained per task
  std::int64_t trained() const { return adapter + head; }
};

ParameterCounts parameter_counts(const ModelShape& model, const AdaptedLayout& layout,
                                 const TrainingShape& training);

// Bytes, float32 unless said otherwise. Estimates: allocators and libraries come on top.
struct MemoryEstimate {
  double weights = 0;      // the backbone as it stands
  double adapted = 0;      // pretrained and merged copies, and W + c Delta of the step
  double optimizer = 0;    // trained parameters, gradients (one per lane, the sum), two moments
  double activations = 0;  // what a lane's backward pass needs
  double fisher = 0;       // float64 sums over samples
  double curvature = 0;    // rank 0: S0 and S1, float64
  double total() const { return weights + adapted + optimizer + activations + fisher + curvature; }
};

MemoryEstimate memory_estimate(const ModelShape& model, const AdaptedLayout& layout,
                               const TrainingShape& training);

// Floating-point operations of training on one sample of `tokens` tokens: a multiply-add counts as
// two. Frozen matrices cost a product forward and one backward (towards the input, not towards the
// weight); a frozen backbone has no backward pass at all.
double training_operations_per_sample(const ModelShape& model, const AdaptedLayout& layout,
                                      std::int64_t rank, std::int64_t tokens);

}  // namespace palimpsest
