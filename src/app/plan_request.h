#pragma once
// What palimpsest plan is asked for: its own options, and the settings of palimpsest train.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "workload.h"

namespace palimpsest {

struct PlanRequest {
  std::vector<std::int64_t> world_sizes = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};  // rising
  std::filesystem::path machine = "cpu-ethernet-10g";                               // or a name
  SketchedStream sketch;
  std::vector<std::string> settings;  // what train takes
};

// `arguments` after the verb. Throws UsageError.
PlanRequest parse_plan_request(std::span<const std::string> arguments);

std::string plan_help();
std::string plan_completion();

}  // namespace palimpsest
