#pragma once
// How much of a task vector the inference model takes: theta_hat_t = theta_hat_{t-1} + alpha_t
// Delta_t.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/merge/curvature_memory.h"

namespace palimpsest {

// What a rule may look at. Flat adapted vectors, measured from theta_hat_0.
struct MergeInput {
  std::int64_t task = 0;               // from 0
  std::span<const float> merged;       // theta_hat_{t-1} - theta_hat_0
  std::span<const float> task_vector;  // Delta_t
  const AdaptedLayout& layout;
  const CurvatureMemory& memory;  // this task's Fisher included
};

struct MergeDecision {
  double alpha = 1;
  // Of the closed form only.
  std::optional<double> alpha_unclamped;
  std::optional<LineTerms> terms;
  std::vector<LineTerms> module_terms;  // in layout order
};

class MergeRule {
 public:
  virtual ~MergeRule() = default;
  virtual std::string_view name() const = 0;
  virtual bool needs_fisher() const = 0;
  // Throws Error, with a name for what happened, rather than return a number that is not finite.
  virtual MergeDecision decide(const MergeInput& input) const = 0;
};

// "closed-form" (Perturb-and-Merge), "average" (alpha = 1/t) or "none" (alpha = 1: sequential
// training). Throws UsageError on another name.
std::unique_ptr<MergeRule> make_merge_rule(std::string_view name);

// In plain words, when the merge discards the task or the past (alpha clamped, or under 0.02); ""
// otherwise. `mass_task`, `mass_before`: Delta' F_t Delta and Delta' S0 Delta of the tasks before,
// both as they entered the rule.
std::string merge_remark(std::int64_t task, const MergeDecision& decision, double mass_task,
                         double mass_before);

}  // namespace palimpsest
