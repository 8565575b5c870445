#include "palimpsest/optimizer/schedule.h"

#include <cmath>
#include <numbers>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

double learning_rate_factor(const Schedule& schedule, std::int64_t step, std::int64_t steps) {
  if (step < schedule.warmup_steps) {
    return static_cast<double>(step + 1) / static_cast<double>(schedule.warmup_steps + 1);
  }
  const double share = static_cast<double>(step - schedule.warmup_steps) /
                       static_cast<double>(steps - schedule.warmup_steps);
  if (schedule.kind == "constant") return 1;
  if (schedule.kind == "cosine") return 0.5 * (1 + std::cos(std::numbers::pi * share));
  if (schedule.kind == "multistep") {
    double factor = 1;
    for (const double milestone : schedule.milestones)
      factor *= share >= milestone ? schedule.milestone_factor : 1;
    return factor;
  }
  throw UsageError(
      concat("schedule '", schedule.kind, "' is not known; use constant, cosine or multistep"));
}

}  // namespace palimpsest
