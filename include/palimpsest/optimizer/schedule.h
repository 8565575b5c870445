#pragma once
// The learning rate over the steps of a task.
#include <cstdint>

#include "palimpsest/config/run_config.h"

namespace palimpsest {

// What the base learning rate is multiplied by at `step` of `steps` (from 0).
double learning_rate_factor(const Schedule& schedule, std::int64_t step, std::int64_t steps);

}  // namespace palimpsest
