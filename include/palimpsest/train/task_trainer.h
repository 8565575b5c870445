#pragma once
// One task: a fresh adapter and head, trained from the merged model over all ranks, with the task
// vector perturbed.
#include <functional>
#include <optional>
#include <vector>

#include "palimpsest/data/task_stream.h"
#include "palimpsest/format/step_record.h"
#include "palimpsest/merge/ewc.h"
#include "palimpsest/train/head.h"
#include "palimpsest/train/training_context.h"

namespace palimpsest {

struct TrainedTask {
  std::vector<LoraFactors> lora;   // in layout order; empty for a frozen backbone
  std::vector<float> task_vector;  // Delta_t, flat; zeros for a frozen backbone
  Head head;
  double loss_first_step = 0, loss_last_pass = 0;
  double seconds = 0;
};

// Where --nonfinite lets this step of a task, or of the refit of its head, be left out, tells
// StepSkipped. Throws DivergedError otherwise.
void skip_step(const TrainingContext& context, const Task& task, const NonfiniteStep& at,
               bool in_refit = false);

// Called on every rank after each step, the last one too, with the counters; `snapshot` adds
// parameters and moments.
using AfterStep = std::function<void(const TaskProgress& counters,
                                     const std::function<TaskProgress()>& snapshot)>;

// Collective. The model holds theta_hat_{t-1}; afterwards its effective weights are those of the
// last step: set its difference anew. `start`: where the training of this task stands already, the
// same on every rank; nullopt for the beginning, with `head` or, when it has no classes, a fresh
// one. The same on every rank, which is checked. Throws
// DivergedError, on every rank alike, when a loss or gradient is not finite and --nonfinite does
// not let it pass; InputError when `start` is of another model. `penalty`: on Delta, added to the
// loss of every step.
TrainedTask train_task(const TrainingContext& context, const Task& task,
                       const std::optional<TaskProgress>& start, const AfterStep& after_step,
                       const Head& head = {}, const QuadraticPenalty& penalty = {});

}  // namespace palimpsest
