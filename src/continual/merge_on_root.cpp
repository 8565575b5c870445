#include "palimpsest/continual/merge_on_root.h"

#include <algorithm>
#include <cstring>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/curvature_memory.h"
#include "palimpsest/merge/fisher_scale.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/remerge/merge_record.h"

namespace palimpsest {
namespace {

FisherRecord to_record(Fisher fisher, FisherScale scale, double factor) {
  return {.kind = std::move(fisher.kind),
          .samples = fisher.samples,
          .transform = "test",
          .scale = std::string(name(scale)),
          .factor = factor,
          .values = std::move(fisher.values)};
}

Merged merge_event(std::int64_t task, const MergeRule& rule, const MergeRecord& record) {
  Merged event{.task = static_cast<int>(task),
               .rule = std::string(rule.name()),
               .alpha = *record.alpha(),
               .alpha_unclamped = record.alpha_unclamped,
               .numerator = record.numerator,
               .denominator = record.denominator,
               .remark = record.remark};
  const auto [least, most] = std::ranges::minmax(record.coefficients);
  if (record.coefficients.size() > 1) event.alpha_range = {least, most};
  return event;
}

bool have_same_bits(const std::vector<float>& one, const std::vector<float>& other) {
  return one.size() == other.size() &&
         std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0;
}

// Everything that rank 0 does alone.
MergeOutcome decide_and_merge(const Method& method, const AdaptedLayout& layout, StreamState& state,
                              const TrainedTask& trained, const AdaptedWeights& weights,
                              std::optional<Fisher> fisher, double loss_rise) {
  const MergeRule& rule = *method.merge;
  const FisherScale scale = method.curvature->scale();
  const std::vector<LowRankFactors> factors = to_low_rank_factors(trained.lora);
  const std::string instance = method.needs_curvature() ? method.curvature->instance() : "";
  CurvatureMemory memory = take_curvature(state.memory, instance);
  MergeInput task{.task = state.tasks_done,
                  .merged = *state.merged,
                  .task_vector = trained.task_vector,
                  .layout = layout,
                  .memory = memory,
                  .factors = factors};
  FisherFactor factor;
  if (fisher) {
    task.fisher = fisher->values;
    factor =
        fisher_factor(scale, task.fisher, quadratic_form(task.fisher, task.task_vector), loss_rise);
    task.fisher_factor = factor.factor;
  }
  TaskMerge merge = merge_task(rule, task, *weights, memory);
  put_curvature(state.memory, instance, std::move(memory));

  MergeOutcome outcome{.weights = make_weights(std::move(merge.merged)),
                       .record = to_record(rule, merge),
                       .predicted_rise = merge.predicted_rise};
  MergeRecord& record = outcome.record;
  const bool both = !factor.remark.empty() && !record.remark.empty();
  record.remark = concat(factor.remark, both ? "; " : "", record.remark);
  outcome.event = merge_event(state.tasks_done, rule, record);
  if (fisher) {
    outcome.fisher = to_record(*std::move(fisher), scale, factor.factor);
    outcome.event.fisher_factor = factor.factor;
    outcome.event.fisher_mass_task = merge.mass_task;
    outcome.event.fisher_mass_before = merge.mass_before;
  }
  return outcome;
}

}  // namespace

MergeOutcome merge_on_root(Session& session, const Method& method, StreamState& state,
                           const TrainedTask& trained, const AdaptedWeights& weights,
                           std::optional<Fisher> fisher, double loss_rise) {
  const Watchdog::Phase phase(session.watchdog, "merging", 10);
  if (state.merged_hash.empty()) throw Error("a merge into a state that was not broadcast");
  MergeOutcome outcome;
  session.group.work("merge on rank 0", [&] {
    if (!session.is_root()) return;
    outcome = decide_and_merge(method, session.model->layout(), state, trained, weights,
                               std::move(fisher), loss_rise);
  });
  outcome.weights = broadcast(session.group, outcome.weights, state.merged->size(),
                              "broadcast of the merged weights");
  if (have_same_bits(*outcome.weights, *weights)) outcome.weights = weights;
  outcome.weights_hash = weights_hash(*outcome.weights);
  outcome.record.weights_before = state.merged_hash;
  outcome.record.weights_after = outcome.weights_hash;
  session.group.agree(outcome.weights_hash, "hash of the merged weights",
                      "agreement after the merge");
  if (session.is_root()) session.events.publish(outcome.event);
  return outcome;
}

}  // namespace palimpsest
