#pragma once
// The rules, each in a file of its own.
#include <functional>

#include "palimpsest/merge/merge_rule.h"

namespace palimpsest {

struct RuleKind {
  std::string_view name;
  std::string_view help;  // one sentence: what it does, and from where it comes
  std::vector<RuleParameter> parameters;
  std::function<std::unique_ptr<MergeRule>(RuleSettings)> make;
};

template <typename Rule>
std::unique_ptr<MergeRule> make_rule(RuleSettings settings) {
  return std::make_unique<Rule>(std::move(settings));
}

RuleKind closed_form_kind();
RuleKind became_kind();
RuleKind average_kind();
RuleKind none_kind();
RuleKind first_kind();
RuleKind fixed_kind();
RuleKind ema_kind();
RuleKind task_arithmetic_kind();
RuleKind ties_kind();
RuleKind magmax_kind();
RuleKind dare_kind();

// theta_hat_t = theta_hat_{t-1} + alpha Delta_t into `result`.
void merge_on_line(const MergeInput& input, double alpha, std::span<float> result);

// Throws Error when a vector of the input or `result` hasn't the layout's size.
void check_sizes(const MergeInput& input, std::span<const float> result);

}  // namespace palimpsest
