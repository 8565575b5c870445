#include "palimpsest/objective/objective.h"

#include <ATen/ATen.h>

namespace palimpsest {

at::Tensor Objective::loss(const at::Tensor& logits, const at::Tensor& targets) const {
  return at::cross_entropy_loss(training_logits(logits, targets), targets, {}, at::Reduction::Sum);
}

at::Tensor Objective::losses(const at::Tensor& logits, const at::Tensor& targets) const {
  return at::cross_entropy_loss(training_logits(logits, targets), targets, {}, at::Reduction::None);
}

}  // namespace palimpsest
