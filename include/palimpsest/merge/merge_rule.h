#pragma once
// What becomes of a trained task: a rule takes the merged weights and a task vector, and writes the
// new merged weights. Pure arithmetic, the same while training and afterwards.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/core/module_share.h"
#include "palimpsest/kinds/kind_table.h"
#include "palimpsest/merge/curvature_memory.h"

namespace palimpsest {

// Where the training of a task starts, and from where its task vector is taken.
enum class Origin {
  kMerged,      // theta_hat_{t-1}
  kLast,        // theta_{t-1}*, whatever was merged
  kPretrained,  // theta_hat_0
};

// What a rule must remember of the tasks before, besides theta_hat_{t-1}.
enum class RuleMemory { kNothing, kCurvature, kAllTaskVectors };

// What a rule needs, or what a run offers.
struct MergeNeeds {
  bool fisher = false;               // F_t, in MergeInput::fisher and in the memory
  bool factors = false;              // A and B of every module
  Origin start = Origin::kMerged;    // of a task's training
  Origin vectors = Origin::kMerged;  // the base of its task vector
  RuleMemory memory = RuleMemory::kNothing;
};

// A and B of one module: Delta = scale * B A. a: [rank, in], b: [out, rank], row-major.
struct LowRankFactors {
  std::span<const float> a, b;
  std::int64_t rank = 0;
  double scale = 1;
};

// What a rule may look at. Flat adapted vectors, measured from theta_hat_0. What the rule's needs
// don't name may be left empty.
struct MergeInput {
  std::int64_t task = 0;                         // from 0, among those that are merged
  std::span<const float> merged;                 // theta_hat_{t-1} - theta_hat_0
  std::span<const float> task_vector;            // Delta_t; a rule never gets an empty one
  const AdaptedLayout& layout;                   // of the modules of these vectors
  const CurvatureMemory& memory;                 // this task's Fisher included
  std::span<const float> fisher = {};            // F_t, unscaled
  double fisher_factor = 1;                      // what `fisher` is multiplied by in the memory
  std::span<const LowRankFactors> factors = {};  // in layout order
  // Of tasks 0 to `task`; RuleMemory::kAllTaskVectors only.
  std::span<const std::span<const float>> all_task_vectors = {};
  int threads = 1;  // that the rule may use; the result is the same, to the last bit
  const ModuleShare* share = nullptr;  // where other ranks have the other modules; else null
};

// Over all modules: Delta' F_t Delta, unscaled, and Delta' S0 Delta.
double fisher_mass(const MergeInput& input);
double memory_mass(const MergeInput& input);

struct RuleOutput {
  // One: of Delta_t. One per module, in layout order. Or one per direction, module after module.
  std::vector<double> coefficients = {1};
  // Of the closed form only.
  std::optional<double> alpha_unclamped;  // with one coefficient
  std::optional<LineTerms> terms;
  std::vector<LineTerms> module_terms;  // in layout order
};

class MergeRule {
 public:
  explicit MergeRule(KindSettings settings) : settings_(std::move(settings)) {}
  virtual ~MergeRule() = default;
  virtual MergeNeeds needs() const { return {}; }
  // Whether theta_hat_t is theta_hat_{t-1} plus the output's one coefficient times Delta_t, or
  // one per module: then the recorded coefficients alone give it again.
  virtual bool coefficients_suffice() const { return false; }
  // Whether it can merge a ModuleShare: it looks at other modules through by_module() alone.
  virtual bool merges_shares() const { return false; }
  // The alpha of a task (from 0) where it follows from its number alone.
  virtual std::optional<double> known_alpha(std::int64_t /*task*/) const { return std::nullopt; }
  // Whether theta_hat_t may be another than theta_t*.
  bool changes_trained() const { return known_alpha(0) != 1.0 || known_alpha(1) != 1.0; }
  // Writes theta_hat_t - theta_hat_0 into `result`, of the size of and apart from input.merged.
  // Throws Error, with a name for what happened, rather than write a number that is not finite.
  virtual RuleOutput merge(const MergeInput& input, std::span<float> result) const = 0;

  const KindSettings& settings() const { return settings_; }
  std::string_view name() const { return settings_.name(); }

 private:
  KindSettings settings_;
};

using RuleKind = PartKind<MergeRule>;
const PartTable<MergeRule>& merge_rules();

// Of RULE[:key=value,...]. Throws UsageError as parse_kind, and where keys contradict one another.
std::unique_ptr<MergeRule> make_merge_rule(std::string_view text);

// Throws UsageError with the reason, and what to do, where a rule needs what `offered` hasn't.
void check_offered(const MergeRule& rule, const MergeNeeds& offered);

// What a run that trains offers: tasks start from the merged model, and S0 and S1 are kept.
MergeNeeds offered_in_training();

// In plain words, when the merge discards the task or the past (alpha clamped, or under 0.02); ""
// otherwise. `mass_task`, `mass_before`: Delta' F_t Delta and Delta' S0 Delta of the tasks before,
// both as they entered the rule.
std::string merge_remark(std::int64_t task, const RuleOutput& output, double mass_task,
                         double mass_before);

}  // namespace palimpsest
