#include "closed_form.h"

#include <algorithm>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

MergeDecision ClosedForm::decide(const MergeInput& input) const {
  MergeDecision decision;
  LineTerms sum;
  for (const AdaptedModule& module : input.layout.modules()) {
    const auto first = static_cast<std::size_t>(module.offset);
    const auto size = static_cast<std::size_t>(module.size());
    const LineTerms terms = input.memory.along(input.merged.subspan(first, size),
                                               input.task_vector.subspan(first, size), first);
    sum.numerator += terms.numerator;
    sum.denominator += terms.denominator;
    decision.module_terms.push_back(terms);
  }
  decision.terms = sum;
  if (input.task == 0) {  // alpha_1 = 1 by definition; the quotient is 1 up to rounding
    decision.alpha_unclamped = decision.alpha = 1;
    return decision;
  }
  if (!std::isfinite(sum.denominator) || !std::isfinite(sum.numerator) || sum.denominator <= 0) {
    throw Error(concat(
        "closed form, task ", input.task + 1, ": Delta' S0 Delta is ", sum.denominator,
        " and the numerator ", sum.numerator,
        "; expected a positive denominator. The task vector is zero or the Fisher vanished: ",
        "look at the learning rate and at --fisher-scale"));
  }
  decision.alpha_unclamped = sum.numerator / sum.denominator;
  decision.alpha = std::clamp(*decision.alpha_unclamped, 0.0, 1.0);
  return decision;
}

}  // namespace palimpsest
