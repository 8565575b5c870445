#pragma once
// What palimpsest plan is called with: its own options, and the settings of palimpsest train.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "workload.h"

namespace palimpsest {

struct PlanRequest {
  std::vector<std::int64_t> world_sizes;  // rising
  std::string machine;                    // name or path
  SketchedStream sketch;
  std::vector<std::string> settings;  // what train takes
};

// `arguments` after the verb. Throws UsageError.
PlanRequest parse_plan_request(std::span<const std::string> arguments);

std::string plan_help();

}  // namespace palimpsest
