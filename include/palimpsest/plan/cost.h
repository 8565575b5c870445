#pragma once
// What a run will cost, before anything runs: parameters, memory, arithmetic. Pure functions of
// shapes.
#include <algorithm>
#include <cstdint>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/plan/model_shape.h"

namespace palimpsest {

// Which layers of a block are adapted.
struct AdaptedLayers {
  bool qkv = false, output = false, fc1 = false, fc2 = false;
};

// How a task is trained. rank 0: frozen backbone. The lanes of a process run one after another, so
// that one lane's activations are held at a time, and every lane keeps its gradient.
struct TrainingShape {
  std::int64_t rank = 0;          // of the adapter
  bool trains_a = true;           // else B alone learns
  std::int64_t classes = 0;       // of the task
  std::int64_t lanes = 1;         // of this process
  std::int64_t lane_samples = 0;  // in one lane; a Fisher chunk has no more
  std::int64_t tokens = 0;        // of the longest sample, to which the lane is padded
  std::int64_t image_side = 0;    // in pixels
  AdaptedLayers adapted;
  bool bf16 = false;
  bool activation_checkpointing = false;
  bool keeps_fisher = true;           // the merge or a penalty needs the Fisher
  std::int64_t fisher_backwards = 1;  // backward passes that it takes
  std::int64_t kept_numbers = 0;      // float32 by adapted weight: a penalty's, noise
  std::int64_t drawn_features = 0;    // vectors that all heads are aligned on, after the last task
  bool on_device = false;         // a GPU: weights are copied there, and its allocator wastes less
  bool class_token_only = false;  // what the features need of the last block

  // Attention fused over each head keeps neither its weights nor its result.
  bool fuses_attention() const { return !bf16 && !on_device; }
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

// Bytes of one process. Estimates: docs/cluster.md says how near they came where it was measured.
struct MemoryEstimate {
  double program = 0;      // the program and its libraries, started
  double weights = 0;      // the backbone as it stands
  double adapted = 0;      // adapted layers once more, theta_hat, and a task vector
  double optimizer = 0;    // trained parameters, gradients (one per lane, the sum), two moments
  double activations = 0;  // a lane's forward and backward pass, with what the allocator loses
  double fisher = 0;       // float64 sums over samples, a chunk's squares, the mean
  double curvature = 0;    // rank 0: S0 and S1, float64, in host memory
  double alignment = 0;    // the features that heads are aligned on
  bool on_device = false;  // the curvature is not among the rest

  // The optimizer's part is free again when the Fisher is measured, all of that when heads are
  // aligned.
  double peak() const {
    return program + weights + adapted + (on_device ? 0 : curvature) +
           std::max(activations + std::max(optimizer, fisher), alignment);
  }
};

MemoryEstimate memory_estimate(const ModelShape& model, const AdaptedLayout& layout,
                               const TrainingShape& training);

// Floating-point operations on one sample of `tokens` tokens; a multiply-add counts as two.
struct Operations {
  double forward = 0;   // frozen weights and attention, without an adapter
  double training = 0;  // forward and backward pass
  double fisher = 0;    // the same, and the gradient of every adapted weight for this sample
};

// Frozen matrices cost a product forward and one backward (towards the input, not towards the
// weight); a frozen backbone (rank 0) has no backward pass at all. Activation checkpointing adds a
// forward pass.
Operations operations_per_sample(const ModelShape& model, const AdaptedLayout& layout,
                                 const TrainingShape& training, double tokens);

}  // namespace palimpsest
