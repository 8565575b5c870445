#pragma once
// palimpsest plan, and palimpsest train --dry-run: what would run and what it costs, without
// training.
#include <span>
#include <string>

#include "palimpsest/config/run_config.h"

namespace palimpsest {

// The tasks, and the cost on `world_size` ranks. Opens the inputs and checks that they fit, as a
// run would; the weights themselves are not loaded.
std::string dry_run(const RunConfig& config, int world_size);

// `arguments` after the verb. Throws UsageError and InputError.
std::string plan(std::span<const std::string> arguments);

std::string plan_help();

}  // namespace palimpsest
