#pragma once
// Stage 2 of Perturb-and-Merge over many ranks. Rank 0 merges, and every rank gets its weights; or,
// with shards, each rank merges its own modules by the same coefficients.
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/continual/state.h"
#include "palimpsest/core/run_events.h"
#include "palimpsest/method/method.h"
#include "palimpsest/session/session.h"
#include "palimpsest/train/fisher.h"
#include "palimpsest/train/task_trainer.h"

namespace palimpsest {

struct MergeOutcome {
  AdaptedWeights weights;  // theta_hat_t; theta_t* itself where they are equal
  MergeRecord record;      // on rank 0; elsewhere its hashes alone
  std::string weights_hash = {};
  // On rank 0 alone; with shards on every rank:
  std::optional<FisherRecord> fisher = {};
  std::optional<double> predicted_rise = {};  // of the task's loss, by its quadratic; with a Fisher
  Merged event = {};
};

// Collective. `weights`: theta_t* = theta_hat_{t-1} + Delta_t. `fisher`: F_t there, where anything
// needs it. `loss_rise`: L_t(theta_hat_{t-1}) - L_t(theta_t*) with the trained head, for secant.
// Scales the Fisher, adds it to state.memory, and lets the rule write the new weights. All ranks
// compare their hash, or with shards the coefficients.
MergeOutcome merge_stage(Session& session, const Method& method, StreamState& state,
                         const TrainedTask& trained, const AdaptedWeights& weights,
                         std::optional<Fisher> fisher, double loss_rise);

}  // namespace palimpsest
