#pragma once
// What a batch is worth in training: the loss that steps, curvature and losses on training samples
// share. A part of the method: a kind is a file of src/objective and a row of its table.
#include <ATen/core/Tensor.h>

#include <memory>

#include "palimpsest/config/run_config.h"
#include "palimpsest/head/head.h"
#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {

// Sums, never means, so that lanes and ranks add them exactly. Who has all of them divides once.
struct WeightedLoss {
  at::Tensor sum;     // [], nats
  at::Tensor weight;  // [], what the sum is divided by: samples
};

// Cross-entropy over the classes of a task. What changes from step to step must be in tensors: a
// device records the pass.
class Objective {
 public:
  virtual ~Objective() = default;

  // [samples, classes]: the softmax of these is what the model takes for the classes'
  // probabilities.
  virtual at::Tensor logits(const at::Tensor& features, const PlacedHead& head) const {
    return head.logits(features);
  }

  // The logits whose cross-entropy is the loss, where `targets` [samples] are the right classes.
  virtual at::Tensor training_logits(const at::Tensor& logits, const at::Tensor& targets) const {
    static_cast<void>(targets);
    return logits;
  }

  // Throws UsageError for a head that the loss isn't defined for.
  virtual void check(const HeadKind& head) const { static_cast<void>(head); }

  WeightedLoss loss(const at::Tensor& logits, const at::Tensor& targets) const;
};

const PartTable<Objective>& objectives();

// Of --objective. Throws UsageError as parse_kind.
std::unique_ptr<Objective> make_objective(const RunConfig& config);

}  // namespace palimpsest
