#include "palimpsest/continual/merge_stage.h"

#include <algorithm>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/curvature_memory.h"
#include "palimpsest/merge/fisher_scale.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/remerge/merge_record.h"
#include "sharded_state.h"

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

double fisher_trace(const MergeInput& task) {
  return sum_by_module(task.layout, task.share, 1, [&](std::size_t first, std::size_t size) {
    const std::span<const float> module = task.fisher.subspan(first, size);
    return std::accumulate(module.begin(), module.end(), 0.0);
  });
}

// Of the modules of `layout`: all of them on rank 0 alone; or those of every rank, with their
// share.
MergeOutcome decide_and_merge(const Method& method, const AdaptedLayout& layout,
                              const ModuleShare* share, StreamState& state,
                              const TrainedTask& trained, const AdaptedWeights& weights,
                              std::optional<Fisher> fisher, double loss_rise) {
  const MergeRule& rule = *method.merge;
  const FisherScale scale = method.curvature->scale();
  const std::vector<LowRankFactors> factors = to_low_rank_factors(trained.lora);
  const std::string instance = method.curvature_memory();
  CurvatureMemory memory = take_curvature(state.memory, instance);
  MergeInput task{.task = state.tasks_done,
                  .merged = *state.merged,
                  .task_vector = trained.task_vector,
                  .layout = layout,
                  .memory = memory,
                  .factors = factors,
                  .share = share};
  FisherFactor factor;
  if (fisher) {
    task.fisher = fisher->values;
    factor = fisher_factor(scale, scale == FisherScale::kTrace ? fisher_trace(task) : 0,
                           scale == FisherScale::kSecant ? fisher_mass(task) : 0, loss_rise);
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

MergeOutcome merge_stage(Session& session, const Method& method, StreamState& state,
                         const TrainedTask& trained, const AdaptedWeights& weights,
                         std::optional<Fisher> fisher, double loss_rise) {
  const Watchdog::Phase phase(session.watchdog, "merging", 10);
  if (state.merged_hash.empty()) throw Error("a merge into a state that was not broadcast");
  const Shards& shards = session.shards;
  MergeOutcome outcome;
  if (shards.are_split()) {
    const ModuleShare share = shards.share(session.group);
    outcome = decide_and_merge(method, shards.own(), &share, state, trained, weights,
                               std::move(fisher), loss_rise);
    session.group.agree(join(outcome.record.coefficients, " ", shortest<double>),
                        "coefficients of the merge", "agreement after the merge");
  } else {
    session.group.work("merge on rank 0", [&] {
      if (!session.is_root()) return;
      outcome = decide_and_merge(method, shards.all(), nullptr, state, trained, weights,
                                 std::move(fisher), loss_rise);
    });
    outcome.weights = broadcast(session.group, outcome.weights, state.merged->size(),
                                "broadcast of the merged weights");
  }
  if (have_same_bits(session, outcome.weights, weights)) outcome.weights = weights;
  outcome.weights_hash =
      shards.are_split() ? sharded_hash(session, outcome.weights) : weights_hash(*outcome.weights);
  outcome.record.weights_before = state.merged_hash;
  outcome.record.weights_after = outcome.weights_hash;
  session.group.agree(outcome.weights_hash, "hash of the merged weights",
                      "agreement after the merge");
  if (session.is_root()) session.events.publish(outcome.event);
  return outcome;
}

}  // namespace palimpsest
