#pragma once
// One merge from beginning to end: the Fisher into the memory, the rule's output, and what is to
// be said of it. The same code while training and offline.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/merge/curvature_memory.h"
#include "palimpsest/merge/merge_rule.h"

namespace palimpsest {

struct TaskMerge {
  std::vector<float> merged;  // theta_hat_t
  RuleOutput output;
  // With a Fisher: Delta' F_t Delta and Delta' S0 Delta of the tasks before, scaled.
  std::optional<double> mass_task, mass_before;
  // With a Fisher: 1/2 d' F_t d, scaled, d = theta_hat_t - theta_t*: by how much the merge raises
  // the task's loss, as its quadratic has it.
  std::optional<double> predicted_rise;
  std::string remark;  // merge_remark()
};

// Adds the Fisher, where the input has one, to `memory`, which is that of the input, and lets the
// rule merge. `trained`: theta_t* = theta_hat_{t-1} + Delta_t. Without a task vector theta_hat
// stays, whatever the rule, and one coefficient is 1. The number of threads doesn't change a bit.
// Throws Error as CurvatureMemory::add and MergeRule::merge do; the memory may then have taken the
// task in.
TaskMerge merge_task(const MergeRule& rule, const MergeInput& input, std::span<const float> trained,
                     CurvatureMemory& memory);

// theta_hat_t of a rule whose coefficients_suffice(): one coefficient, or one per module.
std::vector<float> merge_by_coefficients(const AdaptedLayout& layout,
                                         std::span<const double> coefficients,
                                         std::span<const float> merged,
                                         std::span<const float> task_vector, int threads = 1);

}  // namespace palimpsest
