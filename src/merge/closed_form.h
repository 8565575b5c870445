#pragma once
// Perturb-and-Merge's rule: the alpha that minimises the quadratic rise in loss over all tasks seen
// (docs/how-it-works.md, "Stage 2").
#include "palimpsest/merge/merge_rule.h"

namespace palimpsest {

class ClosedForm : public MergeRule {
 public:
  std::string_view name() const override { return "closed-form"; }
  bool needs_fisher() const override { return true; }
  MergeDecision decide(const MergeInput& input) const override;
};

}  // namespace palimpsest
