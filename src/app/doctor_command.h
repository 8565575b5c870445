#pragma once
// palimpsest doctor as a command: its options, and its lines or JSON on the standard output.
#include <span>
#include <string>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/watchdog.h"

namespace palimpsest {

// `arguments` after the verb. Collective. The exit code: done, or failed where a finding is one.
// Throws UsageError.
int doctor(std::span<const std::string> arguments, HostGroup& group, Watchdog& watchdog);

std::string doctor_help();
std::string doctor_completion();

}  // namespace palimpsest
