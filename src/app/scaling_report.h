#pragma once
// What a forecast over many ranks says, as a person reads it.
#include <cstdint>
#include <span>
#include <string>

#include "palimpsest/plan/scaling.h"

namespace palimpsest {

// A line for each number of ranks; `tasks` of the stream.
std::string scaling_table(const TaskWork& work, const ComputeCost& cost, const Machine& machine,
                          std::span<const std::int64_t> world_sizes, std::int64_t tasks);

// Up to how many ranks it scales, and what limits it beyond.
std::string scaling_sentence(const TaskWork& work, const ComputeCost& cost, const Machine& machine);

}  // namespace palimpsest
