#pragma once
// What a forecast over many ranks says, as a person reads it.
#include <cstdint>
#include <span>
#include <string>

#include "palimpsest/plan/forecast.h"

namespace palimpsest {

// A line for each number of ranks; then up to how many it scales, and what limits it beyond.
std::string scaling_report(const Workload& work, const ComputeCost& cost, const Machine& machine,
                           std::span<const std::int64_t> world_sizes);

}  // namespace palimpsest
