#pragma once
// Stage 2 of Perturb-and-Merge over many ranks: rank 0 decides and merges, every rank gets the same
// weights.
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

// What was measured of a trained task, for its merge.
struct TaskMeasurements {
  AdaptedWeights weights;  // theta_t* = theta_hat_{t-1} + Delta_t
  // Losses with the trained head: L_t(theta_hat_{t-1}), for secant; L_t(theta_t*), with a Fisher.
  double loss_merged_before = 0, loss_trained = 0;
  std::optional<Fisher> fisher;  // F_t at theta_t*, where anything needs it
  double seconds_fisher = 0;
};

struct MergeOutcome {
  AdaptedWeights weights;  // theta_hat_t; the measured ones where these are equal
  MergeRecord record;      // on rank 0; elsewhere its hashes alone
  std::string weights_hash;
  // On rank 0 alone:
  std::optional<FisherRecord> fisher;
  std::optional<double> predicted_rise;  // of the task's loss, by its quadratic; with a Fisher
  Merged event;
  double seconds = 0;
};

// Collective. `fisher`: the measured one. On rank 0: scales the Fisher, adds it to state.memory,
// and lets the rule write the new weights. Then broadcasts them, and every rank proves by hash that
// it has the same.
MergeOutcome merge_on_root(Session& session, const Method& method, StreamState& state,
                           const TrainedTask& trained, const TaskMeasurements& measured,
                           std::optional<Fisher> fisher);

}  // namespace palimpsest
