// What objectives have in common, and their table: a row for each, in the order of the help. The
// file of a kind NAME defines NAME_objective(), with its name, help and keys.
#include <ATen/ATen.h>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/rows.h"
#include "palimpsest/objective/objective.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_OBJECTIVES(ROW) \
  ROW(classes_objective) \
  ROW(cosface_objective) \
  ROW(next_token_objective)

// clang-format on

PALIMPSEST_PART_TABLE(objectives, Objective, "objective", PALIMPSEST_OBJECTIVES)

void Objective::check(const HeadType& head) const {
  if (head.weights() != HeadWeights::kOfBackbone) return;
  throw UsageError(concat("head = ", head.recorded_kind(),
                          " is the backbone's output layer, over its vocabulary, but the objective "
                          "trains classes; set objective to next-token, or head to linear"));
}

at::Tensor Objective::loss(const at::Tensor& logits, const at::Tensor& targets) const {
  return at::cross_entropy_loss(training_logits(logits, targets), targets, {}, at::Reduction::Sum);
}

at::Tensor Objective::losses(const at::Tensor& logits, const at::Tensor& targets) const {
  return at::cross_entropy_loss(training_logits(logits, targets), targets, {}, at::Reduction::None);
}

}  // namespace palimpsest
