#include "palimpsest/optimizer/schedule.h"

#include <cmath>
#include <numbers>

#include "palimpsest/core/error.h"

namespace palimpsest {

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
