#include "palimpsest/train/optimizer.h"

#include <ATen/ATen.h>

namespace palimpsest {

AdamW::AdamW(std::vector<Group> groups, double weight_decay, std::int64_t updates)
    : groups_(std::move(groups)), weight_decay_(weight_decay) {
  for (Group& group : groups_) {
    for (at::Tensor* moment : {&group.first_moment, &group.second_moment}) {
      if (!moment->defined()) *moment = at::zeros_like(group.parameters);
    }
    updates_.push_back(at::full({}, static_cast<double>(updates), group.parameters.options()));
  }
}

void AdamW::step(const std::vector<at::Tensor>& gradients, double factor) {
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    if (group.parameters.numel() == 0) continue;
    updates_[g].add_(1);
    at::_fused_adamw_({group.parameters}, {gradients[g]}, {group.first_moment},
                      {group.second_moment}, {}, {updates_[g]}, factor * group.learning_rate,
                      kBeta1, kBeta2, weight_decay_, kEpsilon,
                      /*amsgrad=*/false, /*maximize=*/false);
  }
}

}  // namespace palimpsest
