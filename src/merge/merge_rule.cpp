#include "palimpsest/merge/merge_rule.h"

#include <iomanip>

#include "closed_form.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// Running mean of the task vectors' end points: alpha_t = 1/t.
class Average : public MergeRule {
 public:
  std::string_view name() const override { return "average"; }
  bool needs_fisher() const override { return false; }
  MergeDecision decide(const MergeInput& input) const override {
    MergeDecision decision;
    decision.alpha = 1.0 / static_cast<double>(input.task + 1);
    return decision;
  }
};

// No merge: the trained model is the inference model (sequential fine-tuning).
class Sequential : public MergeRule {
 public:
  std::string_view name() const override { return "none"; }
  bool needs_fisher() const override { return false; }
  MergeDecision decide(const MergeInput&) const override { return {}; }
};

}  // namespace

std::unique_ptr<MergeRule> make_merge_rule(std::string_view name) {
  if (name == "closed-form") return std::make_unique<ClosedForm>();
  if (name == "average") return std::make_unique<Average>();
  if (name == "none") return std::make_unique<Sequential>();
  throw UsageError(
      concat("merge rule '", name, "' is not known; use closed-form, average or none"));
}

std::string merge_remark(std::int64_t task, const MergeDecision& decision, double mass_task,
                         double mass_before) {
  constexpr double kNothing = 0.02;
  if (task == 0 || !decision.alpha_unclamped) return "";
  const double unclamped = *decision.alpha_unclamped;
  std::ostringstream masses;
  masses << std::setprecision(3) << "along its task vector the earlier tasks' Fisher weighs "
         << mass_before << ", its own " << mass_task;
  std::ostringstream text;
  text << std::setprecision(3);
  if (decision.alpha < kNothing) {
    text << "the merge discards task " << task + 1 << " (alpha " << decision.alpha;
    if (unclamped < 0) text << ", clamped from " << unclamped;
    text << "): " << masses.str();
  } else if (unclamped > 1) {
    text << "the merge takes all of task " << task + 1 << " (alpha clamped to 1 from " << unclamped
         << "): " << masses.str();
  }
  return text.str();
}

}  // namespace palimpsest
