#include "palimpsest/continual/merge_on_root.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// {"name": ..., and what was given besides}.
std::string rule_json(const MergeRule& rule) {
  nlohmann::json json = {{"name", rule.name()}};
  for (const RuleSetting& setting : rule.settings().given()) {
    std::visit([&](const auto& value) { json[std::string(setting.key)] = value; }, setting.value);
  }
  return json.dump();
}

// Everything that rank 0 does alone.
MergeOutcome decide_and_merge(const MergeRule& rule, FisherScale scale, const AdaptedLayout& layout,
                              StreamState& state, const TrainedWeights& trained,
                              std::optional<Fisher> fisher, double loss_rise) {
  const std::vector<float>& task_vector = trained.task_vector;
  MergeOutcome outcome;
  MergeRecord& record = outcome.record;
  record.rule = rule_json(rule);

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
    outcome.fisher = FisherRecord{.kind = fisher->kind,
                                  .samples = fisher->samples,
                                  .transform = "test",
                                  .scale = std::string(name_of(scale)),
                                  .factor = factor.factor,
                                  .values = std::move(fisher->values)};
  }

  std::vector<LowRankFactors> factors;
  for (const LoraFactors& module : trained.lora) {
    factors.push_back({.a = module.a, .b = module.b, .rank = module.rank, .scale = module.scale});
  }
  MergeInput input{.task = state.tasks_done,
                   .merged = state.merged,
                   .task_vector = task_vector,
                   .layout = layout,
                   .memory = state.memory,
                   .factors = factors};
  if (outcome.fisher) {
    input.fisher = outcome.fisher->values;
    input.fisher_factor = outcome.fisher->factor;
  }
  std::vector<float> merged(state.merged.size());
  const MergeDecision decision = rule.merge(input, merged);
  state.merged = std::move(merged);

  record.coefficients = decision.coefficients;
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
  outcome.event.alpha = *record.alpha();
  const auto [least, most] = std::ranges::minmax(decision.coefficients);
  if (decision.coefficients.size() > 1) outcome.event.alpha_range = {least, most};
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
