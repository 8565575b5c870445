// Settings of the loop that trains a task: passes, optimizer, what is measured.
#include "palimpsest/config/keys.h"

namespace palimpsest {

std::vector<Key> keys_of_passes() {
  using C = RunConfig;
  return {
      {.name = "epochs",
       .group = kTrainingGroup,
       .member = &C::epochs,
       .help = "Epochs per task. Paper: 10 (DomainNet 5).",
       .minimum = 1,
       .maximum = kMost},
      {.name = "passes-per-epoch",
       .group = kTrainingGroup,
       .member = &C::passes_per_epoch,
       .help = "Passes over the task's samples that count as one epoch. Not in the\n"
               "paper; code of related methods has 10.",
       .minimum = 1,
       .maximum = kMost},
      {.name = "batch",
       .group = kTrainingGroup,
       .member = &C::batch,
       .help = "Samples per step, over all ranks together; of head-refit and head-align\n"
               "too. Paper: 256.",
       .minimum = 1,
       .maximum = kMost},
      {.name = "drop-last",
       .group = kTrainingGroup,
       .member = &C::drop_last,
       .help = "Leave out the last batch of a pass when it is short; of head-refit and\n"
               "head-align too, unless it is the only one."},
  };
}

std::vector<Key> keys_of_optimizer() {
  using C = RunConfig;
  return {
      {.name = "lr",
       .group = kTrainingGroup,
       .member = &C::lr,
       .help = "Learning rate of the adapter (AdamW). Paper: 1e-3.",
       .minimum = 0,
       .maximum = kUnbounded,
       .above_minimum = true},
      {.name = "head-lr",
       .group = kTrainingGroup,
       .member = &C::head_lr,
       .help = "Learning rate of the task's head; of head-refit and head-align too.\n"
               "Paper: 1e-2.",
       .minimum = 0,
       .maximum = kUnbounded,
       .above_minimum = true},
      {.name = "weight-decay",
       .group = kTrainingGroup,
       .member = &C::weight_decay,
       .help = "Decoupled weight decay of AdamW, adapter and heads. No value is published.",
       .minimum = 0,
       .maximum = kUnbounded},
      {.name = "schedule",
       .group = kTrainingGroup,
       .member = &C::schedule,
       .help = "Course of both learning rates over a task; over head-refit and head-align\n"
               "likewise, each from its own beginning to its end. No value is published.",
       .choices = {"constant", "cosine", "multistep"}},
      {.name = "milestones",
       .group = kTrainingGroup,
       .member = &C::milestones,
       .help = "multistep: after which shares of the task's steps the rates fall.",
       .minimum = 0,
       .maximum = 1,
       .above_minimum = true},
      {.name = "milestone-factor",
       .group = kTrainingGroup,
       .member = &C::milestone_factor,
       .help = "multistep: what the rates are multiplied by at a milestone.",
       .minimum = 0,
       .maximum = 1,
       .above_minimum = true},
      {.name = "warmup-steps",
       .group = kTrainingGroup,
       .member = &C::warmup_steps,
       .help = "Steps at the start of a task in which the rates rise to theirs; head-refit\n"
               "and head-align have no warm-up.",
       .minimum = 0,
       .maximum = kMost},
      {.name = "clip-norm",
       .group = kTrainingGroup,
       .member = &C::clip_norm,
       .help = "Greatest norm of the gradient before it is cut back, whatever is trained;\n"
               "0: never cut.",
       .minimum = 0,
       .maximum = kUnbounded},
      {.name = "nonfinite",
       .group = kTrainingGroup,
       .member = &C::nonfinite,
       .help = "A step whose loss or gradient is not finite. stop: end the run and name\n"
               "its samples; skip: leave the step out, nonfinite-limit times a task, and\n"
               "as often in head-refit. head-align always stops.",
       .choices = {"stop", "skip"}},
      {.name = "nonfinite-limit",
       .group = kTrainingGroup,
       .member = &C::nonfinite_limit,
       .help = "nonfinite = skip: steps of a task that may be skipped.",
       .minimum = 1,
       .maximum = kMost},
  };
}

std::vector<Key> keys_of_measuring() {
  using C = RunConfig;
  return {
      {.name = "error-budget",
       .group = kMergeGroup,
       .member = &C::error_budget,
       .help = "After a merge, measure by how much it raised the task's loss, beside what\n"
               "was predicted: one more forward pass over its training samples (two for\n"
               "rules without a Fisher). Not in the paper; the weights don't change."},
  };
}

}  // namespace palimpsest
