// Settings of the loop that trains a task: passes, optimizer, what is measured.
#include "palimpsest/config/keys.h"

namespace palimpsest {
namespace {

const StructKinds<Schedule>& schedules() {
  using S = Schedule;
  static const StructKinds<S> kinds(
      "schedule",
      {{"The rates stay.", {"warmup"}},
       {"They fall to zero along half a cosine.", {"warmup"}},
       {"They fall at milestones.", {"milestones", "factor", "warmup"}}},
      {struct_key(&S::milestones, {.name = "milestones",
                                   .minimum = 0,
                                   .maximum = 1,
                                   .above_minimum = true,
                                   .help = "After which shares of the task's steps."}),
       struct_key(&S::factor, {.name = "factor",
                               .minimum = 0,
                               .maximum = 1,
                               .above_minimum = true,
                               .help = "Factor of the rates at each milestone."}),
       struct_key(&S::warmup, {.name = "warmup",
                               .minimum = 0,
                               .maximum = kMost,
                               .help = "Warm-up steps at the start of a task. Trainings of heads "
                                       "after a merge have none."})});
  return kinds;
}

const StructKinds<NonfiniteSettings>& nonfinite_kinds() {
  using S = NonfiniteSettings;
  static const StructKinds<S> kinds(
      "nonfinite action",
      {{"End the run and name the step's samples."},
       {"Skip the step. In the alignment of classifier = local:align=gaussian it ends the run all "
        "the same.",
        {"limit"}}},
      {struct_key(&S::limit, {.name = "limit",
                              .minimum = 1,
                              .maximum = kMost,
                              .help = "Steps that may be skipped in a task, and in each training "
                                      "of a head after a merge."})});
  return kinds;
}

const StructKinds<EvaluationSettings>& evaluation_kinds() {
  using S = EvaluationSettings;
  static const StructKinds<S> kinds(
      "evaluation",
      {{"All tasks seen, after every task."},
       {"All tasks after the last one."},
       {"All tasks seen, after every N-th task and after the last one; every:N for short.",
        {"tasks"}}},
      {struct_key(&S::tasks, {.name = "tasks",
                              .minimum = 1,
                              .maximum = kMost,
                              .help = "N.",
                              .effect = Effect::kOperational})});
  return kinds;
}

}  // namespace

std::vector<Key> training_keys() {
  using C = RunConfig;
  return {
      key(kTrainingGroup, &C::epochs,
          {.name = "epochs",
           .minimum = 1,
           .maximum = kMost,
           .help = "Epochs per task. Paper: 10 (DomainNet 5)."}),
      key(kTrainingGroup, &C::passes_per_epoch,
          {.name = "passes-per-epoch",
           .minimum = 1,
           .maximum = kMost,
           .help = "Passes over the task's samples that count as one epoch. Not in the paper;\n"
                   "code of related methods has 10."}),
      key(kTrainingGroup, &C::batch,
          {.name = "batch",
           .minimum = 1,
           .maximum = kMost,
           .help = "Samples per step, over all ranks together; also when heads are trained\n"
                   "after a merge. Paper: 256."}),
      key(kTrainingGroup, &C::drop_last,
          {.name = "drop-last",
           .help = "Drop the last batch of a pass if it is short; also when heads are trained\n"
                   "after a merge, unless it is the only one."}),
      key(kTrainingGroup, &C::lr,
          {.name = "lr",
           .minimum = 0,
           .maximum = kUnbounded,
           .above_minimum = true,
           .help = "Learning rate of the adapter (AdamW). Paper: 1e-3."}),
      key(kTrainingGroup, &C::head_lr,
          {.name = "head-lr",
           .minimum = 0,
           .maximum = kUnbounded,
           .above_minimum = true,
           .help = "Learning rate of the head, also after a merge. Paper: 1e-2."}),
      key(kTrainingGroup, &C::weight_decay,
          {.name = "weight-decay",
           .minimum = 0,
           .maximum = kUnbounded,
           .help = "Decoupled weight decay of AdamW, adapter and heads. No value is published."}),
      key(kTrainingGroup, &C::schedule, schedules(),
          {.name = "schedule",
           .help = "Schedule of both learning rates over a task, and over each training of\n"
                   "heads after a merge. No value is published."}),
      key(kTrainingGroup, &C::clip_norm,
          {.name = "clip-norm",
           .minimum = 0,
           .maximum = kUnbounded,
           .help = "Largest norm of a gradient; a longer one is scaled down. 0: no limit."}),
      key(kTrainingGroup, &C::nonfinite, nonfinite_kinds(),
          {.name = "nonfinite",
           .help = "What to do with a step whose loss or gradient is not finite."}),
  };
}

std::vector<Key> measuring_keys() {
  using C = RunConfig;
  return {
      key(kMethodGroup, &C::error_budget,
          {.name = "error-budget",
           .help = "After a merge, measure how much it raised the task's training loss, to\n"
                   "compare with the prediction: one more forward pass over the training\n"
                   "samples (two for rules without a Fisher). Not in the paper; the weights\n"
                   "don't change."}),
      key(kMethodGroup, &C::evaluate, evaluation_kinds(),
          {.name = "evaluate",
           .help = "When to test all tasks seen. After the other tasks only the newest is\n"
                   "tested: T tasks then take about 4T tests instead of T(T + 1). Average\n"
                   "anytime accuracy needs all.",
           .effect = Effect::kOperational}),
      key(kMethodGroup, &C::evaluate_before_merge,
          {.name = "evaluate-before-merge",
           .help = "Test the trained weights before each merge on the same tasks as after it;\n"
                   "false: only on the newest.",
           .effect = Effect::kOperational}),
  };
}

}  // namespace palimpsest
