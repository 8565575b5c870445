#pragma once
// What rules share that look at nothing but the number of the task: theta_hat_t = theta_hat_{t-1} +
// alpha_t Delta_t with an alpha_t that is known beforehand.
#include "rules.h"

namespace palimpsest {

class FixedShares : public MergeRule {
 public:
  using MergeRule::MergeRule;
  bool coefficients_suffice() const override { return true; }
  std::optional<double> known_alpha(std::int64_t task) const override { return alpha_of(task); }
  MergeDecision merge(const MergeInput& input, std::span<float> result) const override {
    const double alpha = alpha_of(input.task);
    merge_on_line(input, alpha, result);
    MergeDecision decision;
    decision.coefficients = {alpha};
    return decision;
  }

 private:
  virtual double alpha_of(std::int64_t task) const = 0;
};

}  // namespace palimpsest
