#pragma once
// The learning rate over the steps of a task.
#include <cstdint>
#include <string>
#include <vector>

namespace palimpsest {

struct Schedule {
  std::string kind = "cosine";          // constant | cosine (to zero) | multistep
  std::vector<double> milestones = {};  // multistep: as shares of the steps after warm-up
  double milestone_factor = 0.1;        // multistep: multiplied in at each milestone
  std::int64_t warmup_steps = 0;        // linear from 1/(warmup+1)
};

// What the base learning rate is multiplied by at `step` of `steps` (from 0).
double learning_rate_factor(const Schedule& schedule, std::int64_t step, std::int64_t steps);

}  // namespace palimpsest
