#pragma once
// One step of a task over all ranks: a pass over every lane, the sum over lanes, one update. On a
// device passes and update are recorded and started as graphs; between them are the collectives,
// which a watchdog must be able to name.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "palimpsest/device/replay.h"
#include "palimpsest/model/recorded_pass.h"
#include "palimpsest/train/lanes.h"
#include "palimpsest/train/optimizer.h"
#include "palimpsest/train/task_parameters.h"
#include "palimpsest/train/training_context.h"

namespace palimpsest {

class TrainingStep {
 public:
  // Trains `parameters` in place; both must outlive it. updates: done before.
  TrainingStep(const TrainingContext& context, const TaskParameters& parameters,
               std::int64_t updates);

  // The lanes of this rank.
  const std::vector<std::int64_t>& own_lanes() const { return sums_.own_lanes(); }

  // Numbers of a step that are the same on every rank.
  struct Numbers {
    std::int64_t samples = 0;  // in the global batch
    double c = 1;              // the perturbation's scale
    double learning_rate_factor = 1;
  };
  // Collective. Queues the step. `lanes`: a batch for each of own_lanes(), nullopt for an empty
  // one.
  void queue(const std::vector<std::optional<Batch>>& lanes, const Numbers& numbers);

  struct Outcome {
    double loss = 0;           // mean over the global batch
    double gradient_norm = 0;  // before clipping
    bool is_finite() const;    // else the parameters are as they were
  };
  // When the queued step is done.
  Outcome wait();

 private:
  // A batch's gradient sums, then its loss sum.
  at::Tensor pass(const Batch& batch) const;
  void update();

  const TrainingContext& context_;
  const TaskParameters& parameters_;
  LaneSum sums_;
  AdamW optimizer_;
  at::Tensor c_, samples_;  // [] float32
  at::Tensor sum_;          // over all lanes
  at::Tensor outcome_;      // loss and gradient norm, [2] float64; where the model is
  at::Tensor host_outcome_;
  RecordedPass pass_;
  Replay adapt_, update_;
};

}  // namespace palimpsest
