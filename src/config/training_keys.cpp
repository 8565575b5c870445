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
                               .help = "What the rates are multiplied by at a milestone."}),
       struct_key(&S::warmup, {.name = "warmup",
                               .minimum = 0,
                               .maximum = kMost,
                               .help = "Steps at the start of a task in which the rates rise to "
                                       "theirs; after a merge heads are trained without."})});
  return kinds;
}

const StructKinds<NonfiniteSettings>& nonfinite_kinds() {
  using S = NonfiniteSettings;
  static const StructKinds<S> kinds(
      "nonfinite action",
      {{"End the run and name the step's samples."},
       {"Leave the step out. Where classifier = local:align=gaussian trains heads, it ends the run "
        "all the same.",
        {"limit"}}},
      {struct_key(&S::limit, {.name = "limit",
                              .minimum = 1,
                              .maximum = kMost,
                              .help = "Steps of a task that may be left out, and as many of a "
                                      "head that is trained once more."})});
  return kinds;
}

const StructKinds<EvaluationSettings>& evaluation_kinds() {
  using S = EvaluationSettings;
  static const StructKinds<S> kinds(
      "evaluation",
      {{"All tasks seen, after every task."},
       {"All tasks after the last one."},
       {"All tasks seen after every N-th task and after the last one; every:N for short.",
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
           .help = "Passes over the task's samples that count as one epoch. Not in the\n"
                   "paper; code of related methods has 10."}),
      key(kTrainingGroup, &C::batch,
          {.name = "batch",
           .minimum = 1,
           .maximum = kMost,
           .help = "Samples per step, over all ranks together; where heads are trained after\n"
                   "a merge, too. Paper: 256."}),
      key(kTrainingGroup, &C::drop_last,
          {.name = "drop-last",
           .help = "Leave out the last batch of a pass when it is short; where heads are\n"
                   "trained after a merge, too, unless it is the only one."}),
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
           .help = "Learning rate of the task's head, after a merge, too. Paper: 1e-2."}),
      key(kTrainingGroup, &C::weight_decay,
          {.name = "weight-decay",
           .minimum = 0,
           .maximum = kUnbounded,
           .help = "Decoupled weight decay of AdamW, adapter and heads. No value is published."}),
      key(kTrainingGroup, &C::schedule, schedules(),
          {.name = "schedule",
           .help = "Course of both learning rates over a task, and over each training of heads\n"
                   "after a merge from its beginning to its end. No value is published."}),
      key(kTrainingGroup, &C::clip_norm,
          {.name = "clip-norm",
           .minimum = 0,
           .maximum = kUnbounded,
           .help = "Greatest norm of the gradient before it is cut back, whatever is trained;\n"
                   "0: never cut."}),
      key(kTrainingGroup, &C::nonfinite, nonfinite_kinds(),
          {.name = "nonfinite",
           .help = "What becomes of a step whose loss or gradient is not finite."}),
  };
}

std::vector<Key> measuring_keys() {
  using C = RunConfig;
  return {
      key(kMethodGroup, &C::error_budget,
          {.name = "error-budget",
           .help = "After a merge, measure by how much it raised the task's loss, beside what\n"
                   "was predicted: one more forward pass over its training samples (two for\n"
                   "rules without a Fisher). Not in the paper; the weights don't change."}),
      key(kMethodGroup, &C::evaluate, evaluation_kinds(),
          {.name = "evaluate",
           .help = "When all tasks seen are tested. After other tasks the newest alone is:\n"
                   "T tasks then take about 4T tests instead of T(T + 1). Average anytime\n"
                   "accuracy needs all.",
           .effect = Effect::kOperational}),
      key(kMethodGroup, &C::evaluate_before_merge,
          {.name = "evaluate-before-merge",
           .help = "Test the trained weights before each merge on the same tasks; false: on\n"
                   "the newest alone.",
           .effect = Effect::kOperational}),
  };
}

}  // namespace palimpsest
