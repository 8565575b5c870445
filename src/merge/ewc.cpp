#include "palimpsest/merge/ewc.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

QuadraticPenalty ewc_penalty(double lambda, const CurvatureMemory& memory,
                             std::span<const float> merged) {
  if (memory.size() != merged.size()) {
    throw Error(concat("EWC penalty: a memory of ", memory.size(), " weights and ", merged.size(),
                       " merged weights do not fit one another"));
  }
  QuadraticPenalty penalty;
  penalty.curvature.reserve(merged.size());
  penalty.slope.reserve(merged.size());
  for (std::size_t i = 0; i < merged.size(); ++i) {
    const double s0 = memory.s0()[i];
    penalty.curvature.push_back(static_cast<float>(lambda * s0));
    penalty.slope.push_back(
        static_cast<float>(lambda * (s0 * static_cast<double>(merged[i]) - memory.s1()[i])));
  }
  return penalty;
}

}  // namespace palimpsest
