#pragma once
// palimpsest plan, and palimpsest train --dry-run: what would run and what it costs, without
// training.
#include <span>
#include <string>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/config/run_config.h"

namespace palimpsest {

// Collective. The tasks, and the cost. Opens and refuses all that the run would, up to its first
// write.
std::string dry_run(const RunConfig& config, HostGroup& group, Watchdog& watchdog);

// `arguments` after the verb. Collective: where the machine file names no rates, all ranks measure
// theirs at the same time. Throws UsageError and InputError.
std::string plan(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog);

}  // namespace palimpsest
