#include "palimpsest/continual/merge_on_root.h"

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/curvature_memory.h"
#include "palimpsest/remerge/merge_record.h"

namespace palimpsest {
namespace {

// Everything that rank 0 does alone.
MergeOutcome decide_and_merge(const MergeRule& rule, FisherScale scale, const AdaptedLayout& layout,
                              StreamState& state, const TrainedWeights& trained,
                              std::optional<Fisher> fisher, double loss_rise) {
  const std::vector<LowRankFactors> factors = factors_of(trained.lora);
  TaskToMerge task{.task = state.tasks_done,
                   .merged = state.merged,
                   .task_vector = trained.task_vector,
                   .weights = trained.weights,
                   .factors = factors};
  FisherFactor factor;
  if (fisher) {
    factor = fisher_factor(scale, fisher->values, fisher_mass(fisher->values, trained.task_vector),
                           loss_rise);
    task.fisher = fisher->values;
    task.fisher_factor = factor.factor;
  }
  const std::string instance = curvature_in(state.memory);
  CurvatureMemory memory = take_curvature(state.memory, instance);
  TaskMerge merge = merge_task(rule, layout, memory, task);
  put_curvature(state.memory, instance, std::move(memory));
  state.merged = std::move(merge.merged);

  MergeOutcome outcome{.record = record_of(rule, merge),
                       .fisher = {},
                       .predicted_rise = merge.predicted_rise,
                       .event = {}};
  MergeRecord& record = outcome.record;
  const bool both = !factor.remark.empty() && !record.remark.empty();
  record.remark = concat(factor.remark, both ? "; " : "", record.remark);
  if (fisher) {
    outcome.fisher = FisherRecord{.kind = fisher->kind,
                                  .samples = fisher->samples,
                                  .transform = "test",
                                  .scale = std::string(name_of(scale)),
                                  .factor = factor.factor,
                                  .values = std::move(fisher->values)};
    outcome.event.fisher_factor = factor.factor;
    outcome.event.fisher_mass_task = merge.mass_task;
    outcome.event.fisher_mass_before = merge.mass_before;
  }
  outcome.event.task = static_cast<int>(state.tasks_done);
  outcome.event.rule = rule.name();
  outcome.event.alpha = *record.alpha();
  const auto [least, most] = std::ranges::minmax(record.coefficients);
  if (record.coefficients.size() > 1) outcome.event.alpha_range = {least, most};
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
  group.work("merge on rank 0", [&] {
    if (group.rank() != 0) return;
    outcome = decide_and_merge(rule, scale, layout, state, trained, std::move(fisher), loss_rise);
  });
  group.broadcast(state.merged, 0, "broadcast of the merged weights");
  outcome.record.weights_before = std::move(state.merged_hash);
  state.merged_hash = weights_hash(state.merged);
  outcome.record.weights_after = state.merged_hash;
  group.agree(state.merged_hash, "hash of the merged weights", "agreement after the merge");
  return outcome;
}

}  // namespace palimpsest
