#pragma once
// palimpsest eval: saved weights on a split of the data, and sweeps along the line of a merge.
#include <span>
#include <string>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"

namespace palimpsest {

// `arguments` after the verb; rank 0 prints. Throws as open_evaluation().
int eval(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog);

std::string eval_help();
std::string eval_completion();

}  // namespace palimpsest
