#pragma once
// One step of a task over all ranks: a pass over every lane, the sum over lanes, one update. On a
// device passes and update are recorded and started as graphs; between them are the collectives,
// which a watchdog must be able to name.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "palimpsest/model/recorded_pass.h"
#include "palimpsest/optimizer/optimizer.h"
#include "palimpsest/session/lanes.h"
#include "palimpsest/session/session.h"
#include "palimpsest/train/penalty_gradient.h"
#include "palimpsest/train/step_input.h"
#include "palimpsest/train/task_parameters.h"
#include "palimpsest/train/training_parts.h"

namespace palimpsest {

class TrainingStep {
 public:
  // Trains `parameters` in place; all must outlive it. updates: done before. The penalty is added
  // to the loss of every step, once and not for each sample; the loss that is reported is without
  // it.
  TrainingStep(Session& session, const TrainingParts& parts, const TaskParameters& parameters,
               std::int64_t updates, const QuadraticPenalty& penalty);

  // The lanes of this rank.
  const std::vector<std::int64_t>& own_lanes() const { return sums_.own_lanes(); }

  // Collective. Queues the step. The input has a batch for each of own_lanes().
  void launch(const StepInput& input, double learning_rate_factor);

  struct Outcome {
    double loss = 0;           // mean over the global batch's predictions
    double gradient_norm = 0;  // before clipping, with the penalty's
    bool is_finite() const;    // else the parameters are as they were
  };
  // When the queued step is done.
  Outcome wait();

 private:
  // Forward and backward: a batch's gradient sums, then its loss sum.
  at::Tensor loss_and_gradients(const Batch& batch) const;
  void update();
  void draw_noise(std::uint64_t seed);

  Session& session_;
  const TrainingParts& parts_;
  const TaskParameters& parameters_;
  LaneSum sums_;
  AdamW optimizer_;
  PenaltyGradient penalty_;
  at::Tensor c_, divisor_;                // [] float32
  at::Tensor noise_;                      // flat; undefined where the perturbation has none
  std::vector<at::Tensor> module_noise_;  // views of it
  at::Tensor sum_;                        // over all lanes
  at::Tensor outcome_;                    // loss and gradient norm, [2] float64; where the model is
  at::Tensor host_outcome_;
  RecordedPass pass_;
  Replay adapt_, update_;
};

}  // namespace palimpsest
