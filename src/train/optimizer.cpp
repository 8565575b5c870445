#include "palimpsest/train/optimizer.h"

#include <ATen/ATen.h>

namespace palimpsest {

AdamW::AdamW(std::vector<Group> groups, double weight_decay)
    : groups_(std::move(groups)), weight_decay_(weight_decay) {
  for (const Group& group : groups_) {
    moments_.push_back({.first = at::zeros_like(group.parameters),
                        .second = at::zeros_like(group.parameters),
                        .steps = at::zeros({}, group.parameters.options())});
  }
}

void AdamW::step(const std::vector<at::Tensor>& gradients, double factor) {
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].parameters.numel() == 0) continue;
    moments_[g].steps.add_(1);
    at::_fused_adamw_({groups_[g].parameters}, {gradients[g]}, {moments_[g].first},
                      {moments_[g].second}, {}, {moments_[g].steps},
                      factor * groups_[g].learning_rate, kBeta1, kBeta2, weight_decay_, kEpsilon,
                      /*amsgrad=*/false, /*maximize=*/false);
  }
}

}  // namespace palimpsest
