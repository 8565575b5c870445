#pragma once
// Stage 2 of Perturb-and-Merge over many ranks: rank 0 decides and merges, everybody gets the same
// weights.
#include <optional>
#include <vector>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/continual/state.h"
#include "palimpsest/core/run_events.h"
#include "palimpsest/merge/fisher_scale.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/train/fisher.h"

namespace palimpsest {

// What a task's training has left.
struct TrainedWeights {
  const std::vector<float>& task_vector;  // Delta_t
  const std::vector<float>& weights;      // theta_t* - theta_hat_0 = state.merged + Delta_t
  const std::vector<LoraFactors>& lora;   // Delta_t by module, in layout order
};

struct MergeOutcome {
  // On rank 0 alone, but for the record's hashes:
  MergeRecord record;
  std::optional<FisherRecord> fisher;
  std::optional<double> predicted_rise;  // of the task's loss, by its quadratic; with a Fisher
  Merged event;
};

// Collective. On rank 0: scales the Fisher, adds it to the memory, and lets the rule write the
// new state.merged; then broadcasts the weights, and every rank proves by
// hash that it holds the same. `fisher`: the same on every rank; nullopt for a rule that needs
// none. loss_rise: for --fisher-scale secant.
MergeOutcome merge_on_root(HostGroup& group, const MergeRule& rule, FisherScale scale,
                           const AdaptedLayout& layout, StreamState& state,
                           const TrainedWeights& trained, std::optional<Fisher> fisher,
                           double loss_rise);

}  // namespace palimpsest
