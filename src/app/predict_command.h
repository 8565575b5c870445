#pragma once
// palimpsest predict: a class for every sample of a pack, by saved weights.
#include <span>
#include <string>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"

namespace palimpsest {

// Collective. Returns an exit code. Throws UsageError or InputError.
int predict(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog);

std::string predict_help();
std::string predict_completion();

}  // namespace palimpsest
