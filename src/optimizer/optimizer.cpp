#include "palimpsest/optimizer/optimizer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <optional>

#include "palimpsest/core/error.h"

namespace palimpsest {

AdamW::AdamW(std::vector<Group> groups, double weight_decay, std::int64_t updates)
    : groups_(std::move(groups)), weight_decay_(weight_decay) {
  for (Group& group : groups_) {
    for (at::Tensor* moment : {&group.first_moment, &group.second_moment}) {
      if (!moment->defined()) *moment = at::zeros_like(group.parameters);
    }
    const at::TensorOptions options = group.parameters.options();
    updates_.push_back(at::full({}, static_cast<double>(updates), options));
    rates_.push_back(at::full({}, group.learning_rate, options));
  }
}

void AdamW::set_factor(double factor) {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    rates_[g].fill_(factor * groups_[g].learning_rate);
  }
}

void AdamW::step(const std::vector<at::Tensor>& gradients, const at::Tensor& skip) {
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  const auto found_inf = skip.defined() ? std::optional(skip) : std::nullopt;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    if (group.parameters.numel() == 0) continue;
    updates_[g].add_(1);
    if (skip.defined()) updates_[g].sub_(skip);
    at::_fused_adamw_({group.parameters}, {gradients[g]}, {group.first_moment},
                      {group.second_moment}, {}, {updates_[g]}, rates_[g], kBeta1, kBeta2,
                      weight_decay_, kEpsilon, /*amsgrad=*/false, /*maximize=*/false,
                      /*grad_scale=*/{}, found_inf);
  }
}

double learning_rate_factor(const Schedule& schedule, std::int64_t step, std::int64_t steps) {
  if (step < schedule.warmup) {
    return static_cast<double>(step + 1) / static_cast<double>(schedule.warmup + 1);
  }
  const double share =
      static_cast<double>(step - schedule.warmup) / static_cast<double>(steps - schedule.warmup);
  switch (schedule.kind) {
    case Schedule::Kind::kConstant:
      return 1;
    case Schedule::Kind::kCosine:
      return 0.5 * (1 + std::cos(std::numbers::pi * share));
    case Schedule::Kind::kMultistep: {
      double factor = 1;
      for (const double milestone : schedule.milestones)
        factor *= share >= milestone ? schedule.factor : 1;
      return factor;
    }
  }
  throw Error("unknown schedule");
}

}  // namespace palimpsest
