#pragma once
// Rules that look at nothing but the number of the task: theta_hat_t = theta_hat_{t-1} + alpha_t
// Delta_t with an alpha_t that is known beforehand.
#include "rules.h"

namespace palimpsest {

// alpha_t of a task, from 0, by the rule's keys.
using AlphaOf = double (*)(const KindSettings& settings, std::int64_t task);

class FixedShares : public MergeRule {
 public:
  FixedShares(KindSettings chosen, AlphaOf task_alpha)
      : MergeRule(std::move(chosen)), alpha_of_(task_alpha) {}
  bool coefficients_suffice() const override { return true; }
  bool merges_shares() const override { return true; }
  std::optional<double> known_alpha(std::int64_t task) const override {
    return alpha_of_(settings(), task);
  }
  RuleOutput merge(const MergeInput& input, std::span<float> result) const override {
    RuleOutput output;
    output.coefficients = {alpha_of_(settings(), input.task)};
    merge_on_line(input, output.coefficients.front(), result);
    return output;
  }

 private:
  AlphaOf alpha_of_;
};

// The `make` of such a rule's row.
inline auto make_fixed_shares(AlphaOf task_alpha) {
  return [task_alpha](KindSettings chosen) {
    return std::make_unique<FixedShares>(std::move(chosen), task_alpha);
  };
}

}  // namespace palimpsest
