#pragma once
// The loss of a batch in training: the one that steps, curvature and losses on training samples
// share. A part of the method: a kind is a file of src/objective and a row of its table.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "palimpsest/head/head.h"
#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {

// Cross-entropy over the classes of a task, or over a vocabulary. Losses are sums over predictions
// (a sample's class, or the tokens of its completions), never means, so that lanes and ranks add
// them exactly: code that has all of them divides once, by SampleReader::predictions(). What
// changes from step to step must be in tensors: a device records the pass.
class Objective {
 public:
  virtual ~Objective() = default;

  // [samples, classes]: the softmax of these is what the model takes for the classes'
  // probabilities.
  virtual at::Tensor logits(const at::Tensor& features, const DeviceHead& head) const {
    return head.logits(features);
  }

  // The logits whose cross-entropy is the loss, where `targets` [samples] are the right classes.
  virtual at::Tensor training_logits(const at::Tensor& logits,
                                     const at::Tensor& /*targets*/) const {
    return logits;
  }

  // Whether it is for sequences, whose completions it predicts token by token. Such an objective
  // overrides summed_loss() and needs no other loss.
  virtual bool predicts_tokens() const { return false; }

  // Throws UsageError for a head that the loss isn't defined for.
  virtual void check(const HeadType& head) const;

  // [], nats: the sum over these samples. And [samples], its terms. An objective that isn't the
  // cross-entropy of training_logits() overrides both.
  virtual at::Tensor loss(const at::Tensor& logits, const at::Tensor& targets) const;
  virtual at::Tensor losses(const at::Tensor& logits, const at::Tensor& targets) const;

  // [], nats: the sum over these predictions, from their features.
  virtual at::Tensor summed_loss(const at::Tensor& features, const DeviceHead& head,
                                 const at::Tensor& targets) const {
    return loss(logits(features, head), targets);
  }
};

using ObjectiveKind = PartKind<Objective>;
const PartTable<Objective>& objectives();

}  // namespace palimpsest
