#pragma once
// The state of a stream between two tasks.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/core/named_tensors.h"
#include "palimpsest/format/records.h"
#include "palimpsest/merge/curvature_memory.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/penalty/penalty.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

struct StreamState {
  std::int64_t tasks_done = 0;
  AdaptedWeights merged;         // theta_hat
  std::string merged_hash = {};  // weights_hash(merged), from broadcast_state() on
  NamedTensors memory;           // of the run's parts; what the root keeps is on rank 0 alone
  // On rank 0 alone: of the run's own classifier, and of its others in their order.
  AccuracyMatrix accuracy;
  std::vector<OtherAccuracy> others;
};

// The state before the first task. `curvature`: the instance whose S0 and S1 it begins with, as
// zeros; "" for none.
StreamState initial_state(const AdaptedLayout& layout, const std::string& curvature);

// Collective: tasks_done, weights, their hash and the memory that every rank keeps, of rank 0 to
// all.
void broadcast_state(HostGroup& group, StreamState& state);

// Collective: the penalty of the next task, from rank 0's memory; empty where no task is done.
QuadraticPenalty next_penalty(HostGroup& group, const Penalty& penalty,
                              const std::string& curvature, StreamState& state);

// Collective: the progress of rank 0, or that there is none, to all.
void broadcast_progress(HostGroup& group, std::optional<TaskProgress>& progress);

}  // namespace palimpsest
