#pragma once
// One merge from beginning to end: the Fisher into the memory, the rule's decision, and what is to
// be said of it. The same code while training and offline.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/merge/curvature_memory.h"
#include "palimpsest/merge/merge_rule.h"

namespace palimpsest {

// Flat adapted vectors, measured from theta_hat_0. What the rule doesn't need may be left empty.
struct TaskToMerge {
  std::int64_t task = 0;                         // from 0, among those that are merged
  std::span<const float> merged;                 // theta_hat_{t-1}
  std::span<const float> task_vector;            // Delta_t
  std::span<const float> weights;                // theta_t* = theta_hat_{t-1} + Delta_t
  std::span<const float> fisher = {};            // F_t, unscaled
  double fisher_factor = 1;                      // what F_t is multiplied by
  std::span<const LowRankFactors> factors = {};  // of Delta_t, in layout order
  std::span<const std::span<const float>> all_task_vectors = {};
};

struct TaskMerge {
  std::vector<float> merged;  // theta_hat_t
  MergeDecision decision;
  // With a Fisher: Delta' F_t Delta and Delta' S0 Delta of the tasks before, scaled.
  std::optional<double> mass_task, mass_before;
  // With a Fisher: 1/2 d' F_t d, scaled, d = theta_hat_t - theta_t*: by how much the merge raises
  // the task's loss, as its quadratic has it.
  std::optional<double> predicted_rise;
  std::string remark;  // merge_remark()
};

// Adds the Fisher, where there is one, to the memory, and lets the rule merge. The number of
// `threads` doesn't change a bit. Throws Error as CurvatureMemory::add and MergeRule::merge do; the
// memory may then have taken the task in.
TaskMerge merge_task(const MergeRule& rule, const AdaptedLayout& layout, CurvatureMemory& memory,
                     const TaskToMerge& task, int threads = 1);

// theta_hat_t of a rule whose coefficients_suffice(): one coefficient, or one per module.
std::vector<float> merge_by_coefficients(const AdaptedLayout& layout,
                                         std::span<const double> coefficients,
                                         std::span<const float> merged,
                                         std::span<const float> task_vector, int threads = 1);

}  // namespace palimpsest
