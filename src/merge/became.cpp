// BECAME: alpha = Delta' F_t Delta / Delta' (F_old + F_t) Delta. The closed form without its cross
// term: the two agree where theta_hat_{t-1} is the optimum of the earlier tasks
// (docs/how-it-works.md, "Merge rules").
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "rules.h"

namespace palimpsest {
namespace {

class Became : public MergeRule {
 public:
  using MergeRule::MergeRule;
  MergeNeeds needs() const override { return {.fisher = true, .memory = RuleMemory::kCurvature}; }
  bool coefficients_suffice() const override { return true; }
  bool merges_shares() const override { return true; }
  RuleOutput merge(const MergeInput& input, std::span<float> result) const override {
    double alpha = 1;
    LineTerms terms{.numerator = input.fisher_factor * fisher_mass(input),
                    .denominator = memory_mass(input)};
    if (input.task > 0) {
      alpha = terms.numerator / terms.denominator;
      if (!std::isfinite(alpha) || terms.denominator <= 0) {
        throw Error(
            concat("became, task ", input.task + 1, ": Delta' F Delta is ", terms.numerator,
                   " and Delta' S0 Delta ", terms.denominator,
                   "; expected a positive denominator. The task vector is zero or the "
                   "Fisher vanished: look at the learning rate and at the curvature's scale"));
      }
      alpha = std::min(alpha, 1.0);  // above by rounding alone
    }
    merge_on_line(input, alpha, result);
    RuleOutput output;
    output.coefficients = {alpha};
    output.terms = terms;
    return output;
  }
};

}  // namespace

RuleKind became_kind() {
  return {.name = "became",
          .help = "alpha is the task's share of the Fisher along its task vector (BECAME).",
          .make = make_kind<Became>};
}

}  // namespace palimpsest
