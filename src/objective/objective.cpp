#include "palimpsest/objective/objective.h"

#include <ATen/ATen.h>

namespace palimpsest {

WeightedLoss Objective::loss(const at::Tensor& logits, const at::Tensor& targets) const {
  return {.sum = at::cross_entropy_loss(training_logits(logits, targets), targets, {},
                                        at::Reduction::Sum),
          .weight = at::full({}, targets.size(0), logits.options())};
}

}  // namespace palimpsest
