#pragma once
// One task: a fresh adapter and head, trained from the merged model over all ranks, with the task
// vector perturbed.
#include <functional>
#include <optional>
#include <vector>

#include "palimpsest/format/records.h"
#include "palimpsest/penalty/penalty.h"
#include "palimpsest/session/session.h"
#include "palimpsest/train/head_training.h"
#include "palimpsest/train/task_passes.h"
#include "palimpsest/train/training_parts.h"

namespace palimpsest {

// Where the training of a task begins.
struct TaskBeginning {
  AdaptedWeights weights;         // theta_hat_{t-1}
  Head head = {};                 // without classes: a fresh one
  QuadraticPenalty penalty = {};  // on Delta, added to the loss of every step
  // Where an earlier start has left this task, the same on every rank.
  std::optional<TaskProgress> progress = {};
};

struct TrainedTask {
  std::vector<LoraFactors> lora = {};   // in layout order; empty where no factor learned
  std::vector<float> task_vector = {};  // Delta_t, of Shards::own(); likewise
  Head head;
  double loss_first_step = 0, loss_last_pass = 0;
  double seconds = 0;
};

// What a step trains.
enum class StepOf { kAdapterAndHead, kHead, kHeadAfterMerge };

// Where --nonfinite allows this step to be skipped, publishes StepSkipped. Throws DivergedError
// otherwise.
void skip_step(const Session& session, const Task& task, const NonfiniteStep& at, StepOf what);

// Called on every rank after each step, the last one too, with the counters; `snapshot` adds
// parameters and moments.
using AfterStep = std::function<void(const TaskProgress& counters,
                                     const std::function<TaskProgress()>& snapshot)>;

// Collective. The same on every rank, which is checked. Throws DivergedError, on every rank alike,
// when a loss or gradient is not finite and --nonfinite does not let it pass; InputError when the
// progress is of another model.
TrainedTask train_task(Session& session, const Task& task, const TrainingParts& parts,
                       const TaskBeginning& begin, const AfterStep& after_step);

// Collective. The task's head alone, on features of the backbone as it is: where no factor learns.
// Nothing where that is the backbone's output layer.
TrainedTask train_on_features(TaskPasses& passes, const TrainingParts& parts,
                              const TaskBeginning& begin);

}  // namespace palimpsest
