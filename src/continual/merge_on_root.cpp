#include "palimpsest/continual/merge_on_root.h"

#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/task_vector.h"

namespace palimpsest {
namespace {

// Everything that rank 0 does alone.
MergeOutcome decide_and_merge(const MergeRule& rule, FisherScale scale, const AdaptedLayout& layout,
                              StreamState& state, const TrainedWeights& trained,
                              std::optional<Fisher> fisher, double loss_rise) {
  const std::vector<float>& task_vector = trained.task_vector;
  MergeOutcome outcome;
  MergeRecord& record = outcome.record;
  record.rule = nlohmann::json{{"name", rule.name()}}.dump();

  double mass_task = 0, mass_before = 0;
  if (fisher) {
    const double mass = fisher_mass(fisher->values, task_vector);
    const FisherFactor factor = fisher_factor(scale, fisher->values, mass, loss_rise);
    mass_task = factor.factor * mass;
    mass_before = state.memory.mass(task_vector);
    state.memory.add(fisher->values, trained.weights, factor.factor);
    record.remark = factor.remark;
    outcome.event.fisher_factor = factor.factor;
    outcome.event.fisher_mass_task = mass_task;
    outcome.event.fisher_mass_before = mass_before;
    outcome.fisher = FisherRecord{.kind = kFisherKind,
                                  .samples = fisher->samples,
                                  .transform = "test",
                                  .scale = std::string(name_of(scale)),
                                  .factor = factor.factor,
                                  .values = std::move(fisher->values)};
  }

  const MergeDecision decision = rule.decide({.task = state.tasks_done,
                                              .merged = state.merged,
                                              .task_vector = task_vector,
                                              .layout = layout,
                                              .memory = state.memory});
  add_scaled(state.merged, decision.alpha, task_vector);

  record.coefficients = {decision.alpha};
  record.alpha_unclamped = decision.alpha_unclamped;
  if (decision.terms) {
    record.numerator = decision.terms->numerator;
    record.denominator = decision.terms->denominator;
  }
  for (const LineTerms& terms : decision.module_terms) {
    record.module_numerators.push_back(terms.numerator);
    record.module_denominators.push_back(terms.denominator);
  }
  const std::string remark = merge_remark(state.tasks_done, decision, mass_task, mass_before);
  record.remark += (record.remark.empty() || remark.empty() ? "" : "; ") + remark;

  outcome.event.task = static_cast<int>(state.tasks_done);
  outcome.event.rule = rule.name();
  outcome.event.alpha = decision.alpha;
  outcome.event.alpha_unclamped = record.alpha_unclamped;
  outcome.event.numerator = record.numerator;
  outcome.event.denominator = record.denominator;
  outcome.event.remark = record.remark;
  return outcome;
}

}  // namespace

MergeOutcome merge_on_root(HostGroup& group, const MergeRule& rule, FisherScale scale,
                           const AdaptedLayout& layout, StreamState& state,
                           const TrainedWeights& trained, std::optional<Fisher> fisher,
                           double loss_rise) {
  if (state.merged_hash.empty()) throw Error("a merge into a state that was not broadcast");
  MergeOutcome outcome;
  if (group.rank() == 0) {
    outcome = decide_and_merge(rule, scale, layout, state, trained, std::move(fisher), loss_rise);
  }
  group.broadcast(std::as_writable_bytes(std::span(state.merged)), 0,
                  "merge on rank 0, then broadcast");
  outcome.record.weights_before = std::move(state.merged_hash);
  state.merged_hash = weights_hash(state.merged);
  outcome.record.weights_after = state.merged_hash;
  group.agree(state.merged_hash, "hash of the merged weights", "agreement after the merge");
  return outcome;
}

}  // namespace palimpsest
