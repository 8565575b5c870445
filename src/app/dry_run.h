#pragma once
// palimpsest train --dry-run: what would run and what it costs, without training.
#include <string>

#include "palimpsest/config/run_config.h"

namespace palimpsest {

// Opens the inputs and checks that they fit, as a run would; the weights themselves are not loaded.
std::string dry_run(const RunConfig& config, int world_size);

}  // namespace palimpsest
