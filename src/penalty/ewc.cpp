// Elastic weight consolidation (Kirkpatrick et al., PNAS 2017): weight/2 sum_i (theta - theta_i*)'
// F_i (theta - theta_i*) over the tasks before, up to a constant. At theta = merged + Delta its
// curvature is weight S0 and its slope weight (S0 * merged - S1). Computed in double, rounded once.
#include <limits>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/penalty/penalty.h"

namespace palimpsest {
namespace {

class Ewc : public Penalty {
 public:
  explicit Ewc(const KindSettings& settings) : weight_(settings.number("weight")) {}

  bool needs_curvature() const override { return true; }

  QuadraticPenalty quadratic(const CurvatureMemory& memory,
                             std::span<const float> merged) const override {
    if (memory.size() != merged.size()) {
      throw Error(concat("EWC penalty: a memory of ", memory.size(), " weights and ", merged.size(),
                         " merged weights do not fit one another"));
    }
    QuadraticPenalty penalty;
    penalty.curvature.reserve(merged.size());
    penalty.slope.reserve(merged.size());
    for (std::size_t i = 0; i < merged.size(); ++i) {
      const double s0 = memory.s0()[i];
      penalty.curvature.push_back(static_cast<float>(weight_ * s0));
      penalty.slope.push_back(
          static_cast<float>(weight_ * (s0 * static_cast<double>(merged[i]) - memory.s1()[i])));
    }
    return penalty;
  }

 private:
  double weight_;
};

}  // namespace

PenaltyKind ewc_penalty() {
  return {.name = "ewc",
          .help =
              "Elastic weight consolidation: a quadratic penalty around earlier optima, weighted "
              "by their Fishers (Kirkpatrick et al., 2017). A baseline, usually with merge none. "
              "Not in the paper.",
          .keys = {{.name = "weight",
                    .default_value = 1.0,
                    .minimum = 0,
                    .maximum = std::numeric_limits<double>::infinity(),
                    .above_minimum = true}},
          .make = make_kind<Ewc>};
}

}  // namespace palimpsest
