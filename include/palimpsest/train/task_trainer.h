#pragma once
// One task: a fresh adapter and head, trained from the merged model over all ranks, with the task
// vector perturbed.
#include <vector>

#include "palimpsest/data/task_stream.h"
#include "palimpsest/format/records.h"
#include "palimpsest/train/training_context.h"

namespace palimpsest {

struct TrainedTask {
  std::vector<LoraFactors> lora;   // in layout order; empty for a frozen backbone
  std::vector<float> task_vector;  // Delta_t, flat; zeros for a frozen backbone
  Head head;
  double loss_first_step = 0, loss_last_pass = 0;
  double seconds = 0;
};

// Collective. The model holds theta_hat_{t-1}; afterwards its effective weights are those of the
// last step: set its difference anew. The same on every rank, which is checked. Throws
// DivergedError, on every rank alike, when a loss or gradient is not finite.
TrainedTask train_task(const TrainingContext& context, const Task& task);

}  // namespace palimpsest
