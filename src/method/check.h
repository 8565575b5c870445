#pragma once
// Which settings exclude one another.
#include "palimpsest/config/run_config.h"

namespace palimpsest {

// Throw UsageError where settings contradict one another: of any run; of one that trains.
void check_consistent(const RunConfig& config);
void check_trained_views(const RunConfig& config);

}  // namespace palimpsest
