// Settings of what happens to one task: training, merge, heads.
#include "keys.h"
#include "palimpsest/merge/merge_rule.h"

namespace palimpsest {
namespace {

constexpr std::string_view kTraining = "Training one task";
constexpr std::string_view kMerge = "Perturb, and merge";
constexpr std::string_view kHeads = "The heads";

// In the shortest text that means the same. Throws UsageError where the rule is not known, or is
// one that a run cannot train for.
std::string read_merge_rule(std::string_view text) {
  const std::unique_ptr<MergeRule> rule = make_merge_rule(text);
  check_offered(*rule, offered_in_training());
  return rule->settings().text();
}

}  // namespace

std::vector<Key> keys_of_training() {
  using C = RunConfig;
  using enum Effect;
  return {
      {.name = "epochs",
       .group = kTraining,
       .member = &C::epochs,
       .help = "Epochs per task. Paper: 10 (DomainNet 5).",
       .minimum = 1,
       .maximum = kMost},
      {.name = "passes-per-epoch",
       .group = kTraining,
       .member = &C::passes_per_epoch,
       .help = "Passes over the task's samples that count as one epoch. Not in the\n"
               "paper; code of related methods has 10.",
       .minimum = 1,
       .maximum = kMost},
      {.name = "batch",
       .group = kTraining,
       .member = &C::batch,
       .help = "Samples per step, over all ranks together; of head-refit and head-align\n"
               "too. Paper: 256.",
       .minimum = 1,
       .maximum = kMost},
      {.name = "drop-last",
       .group = kTraining,
       .member = &C::drop_last,
       .help = "Leave out the last batch of a pass when it is short; of head-refit and\n"
               "head-align too, unless it is the only one."},
      {.name = "adapter",
       .group = kTraining,
       .member = &C::adapter,
       .help = "lora: a fresh low-rank adapter for every task. none: the backbone\n"
               "stays frozen and only heads learn (with merge and perturbation none), from\n"
               "features of the test view: images aren't augmented.",
       .choices = {"lora", "none"}},
      {.name = "lora-rank",
       .group = kTraining,
       .member = &C::lora_rank,
       .help = "Rank r of the adapter. Paper: 10.",
       .minimum = 1,
       .maximum = kMost},
      {.name = "lora-alpha",
       .group = kTraining,
       .member = &C::lora_alpha,
       .help = "The adapter is scaled by lora-alpha / lora-rank. Paper: a scale of 1.",
       .minimum = 0,
       .maximum = kUnbounded,
       .above_minimum = true},
      {.name = "lora-targets",
       .group = kTraining,
       .member = &C::lora_targets,
       .help = "Projections of every block that the adapter changes, by name.\n"
               "Paper: key,value."},
      {.name = "lr",
       .group = kTraining,
       .member = &C::lr,
       .help = "Learning rate of the adapter (AdamW). Paper: 1e-3.",
       .minimum = 0,
       .maximum = kUnbounded,
       .above_minimum = true},
      {.name = "head-lr",
       .group = kTraining,
       .member = &C::head_lr,
       .help = "Learning rate of the task's head; of head-refit and head-align too.\n"
               "Paper: 1e-2.",
       .minimum = 0,
       .maximum = kUnbounded,
       .above_minimum = true},
      {.name = "weight-decay",
       .group = kTraining,
       .member = &C::weight_decay,
       .help = "Decoupled weight decay of AdamW, adapter and heads. No value is published.",
       .minimum = 0,
       .maximum = kUnbounded},
      {.name = "schedule",
       .group = kTraining,
       .member = &C::schedule,
       .help = "Course of both learning rates over a task; over head-refit and head-align\n"
               "likewise, each from its own beginning to its end. No value is published.",
       .choices = {"constant", "cosine", "multistep"}},
      {.name = "milestones",
       .group = kTraining,
       .member = &C::milestones,
       .help = "multistep: after which shares of the task's steps the rates fall.",
       .minimum = 0,
       .maximum = 1,
       .above_minimum = true},
      {.name = "milestone-factor",
       .group = kTraining,
       .member = &C::milestone_factor,
       .help = "multistep: what the rates are multiplied by at a milestone.",
       .minimum = 0,
       .maximum = 1,
       .above_minimum = true},
      {.name = "warmup-steps",
       .group = kTraining,
       .member = &C::warmup_steps,
       .help = "Steps at the start of a task in which the rates rise to theirs; head-refit\n"
               "and head-align have no warm-up.",
       .minimum = 0,
       .maximum = kMost},
      {.name = "clip-norm",
       .group = kTraining,
       .member = &C::clip_norm,
       .help = "Greatest norm of the gradient before it is cut back, whatever is trained;\n"
               "0: never cut.",
       .minimum = 0,
       .maximum = kUnbounded},
      {.name = "nonfinite",
       .group = kTraining,
       .member = &C::nonfinite,
       .help = "A step whose loss or gradient is not finite. stop: end the run and name\n"
               "its samples; skip: leave the step out, nonfinite-limit times a task, and\n"
               "as often in head-refit. head-align always stops.",
       .choices = {"stop", "skip"}},
      {.name = "nonfinite-limit",
       .group = kTraining,
       .member = &C::nonfinite_limit,
       .help = "nonfinite = skip: steps of a task that may be skipped.",
       .minimum = 1,
       .maximum = kMost},
      {.name = "perturbation",
       .group = kMerge,
       .member = &C::perturbation,
       .help = "sign: each step scales the adapter by 1 - epsilon, 1 or 1 + epsilon, one\n"
               "chance in three each, as in the paper. none: LoRA-M, the ablation.\n"
               "gaussian: normal noise as long as sign's steps, the paper's control, fp32\n"
               "only. Not in the paper: stratified, each scale for a third of the batch;\n"
               "uniform, one scale a step from [1/t, 1] for the t-th task.",
       .choices = {"sign", "stratified", "uniform", "gaussian", "none"}},
      {.name = "epsilon",
       .group = kMerge,
       .member = &C::epsilon,
       .help = "Size of the perturbation; uniform has none. Paper: 0.5.",
       .minimum = 0,
       .maximum = 1,
       .above_minimum = true},
      {.name = "ewc",
       .group = kMerge,
       .member = &C::ewc,
       .help = "Weight of EWC's penalty on leaving the optima of earlier tasks, by their\n"
               "Fishers; a baseline, usually with merge = none. 0: none. Not in the paper.",
       .minimum = 0,
       .maximum = kUnbounded},
      {.name = "merge",
       .group = kMerge,
       .member = &C::merge,
       .help = "How a trained task enters the model: a rule, and its keys, as in\n"
               "closed-form:by=module,shrink=0.1. One for another training is refused.",
       .read = read_merge_rule,
       .takes = "RULE[:key=value,...]:",
       .more_help = merge_rules_help(70)},
      {.name = "curvature",
       .group = kMerge,
       .member = &C::curvature,
       .help = "empirical: the Fisher of the true labels, as in the paper. Not in the\n"
               "paper: expected-sampled, of labels drawn from the model; expected-exact,\n"
               "over all classes, a backward pass each; gram, the inputs' second moments\n"
               "(the diagonal of RegMean's), forward only.",
       .choices = {"empirical", "expected-sampled", "expected-exact", "gram"}},
      {.name = "fisher-scale",
       .group = kMerge,
       .member = &C::fisher_scale,
       .help = "Brings the tasks' Fishers to one scale. none: the paper. trace: equal\n"
               "trace; secant: the measured rise of the loss (both not in the paper).",
       .choices = {"none", "trace", "secant"}},
      {.name = "error-budget",
       .group = kMerge,
       .member = &C::error_budget,
       .help = "After a merge, measure by how much it raised the task's loss, beside what\n"
               "was predicted: one more forward pass over its training samples (two for\n"
               "rules without a Fisher). Not in the paper; the weights don't change."},
      {.name = "head",
       .group = kHeads,
       .member = &C::head,
       .help = "linear: as in the paper. Not in the paper: cosine, of features and weights\n"
               "without a bias; prototype, of features and class means, without training\n"
               "(SimpleCIL; adapter = none).",
       .choices = {"linear", "cosine", "prototype"}},
      {.name = "head-scale",
       .group = kHeads,
       .member = &C::head_scale,
       .help = "head = cosine, prototype: what the cosine is multiplied by.",
       .minimum = 0,
       .maximum = kUnbounded,
       .above_minimum = true},
      {.name = "head-refit",
       .group = kHeads,
       .member = &C::head_refit,
       .help = "Train the task's head once more on the merged model, on features of the\n"
               "test view. Not in the paper."},
      {.name = "head-refit-epochs",
       .group = kHeads,
       .member = &C::head_refit_epochs,
       .help = "head-refit: passes over the task's features.",
       .minimum = 1,
       .maximum = kMost},
      {.name = "head-align",
       .group = kHeads,
       .member = &C::head_align,
       .help = "After each merge from the second on, train all heads together on features\n"
               "drawn from every class's mean and variance (as SLCA). Not in the paper."},
      {.name = "head-align-epochs",
       .group = kHeads,
       .member = &C::head_align_epochs,
       .help = "head-align: passes over what is drawn.",
       .minimum = 1,
       .maximum = kMost},
  };
}

}  // namespace palimpsest
