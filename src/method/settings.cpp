#include "palimpsest/method/settings.h"

#include "check.h"
#include "palimpsest/config/keys.h"
#include "palimpsest/method/method.h"

namespace palimpsest {
namespace {

// Throws UsageError where the rule is one that a run cannot train for.
void check_trainable(std::string_view text) {
  check_offered(*make_merge_rule(text), offered_in_training());
}

std::vector<Key> part_keys() {
  using C = RunConfig;
  constexpr std::string_view kGroup = kMethodGroup;
  return {
      key(kGroup, &C::adapter,
          {.name = "adapter",
           .help = "Which weights of the backbone a task changes.",
           .kinds = &adapters()}),
      key(kGroup, &C::objective,
          {.name = "objective",
           .help = "The loss of a batch in training.",
           .kinds = &objectives()}),
      key(kGroup, &C::perturbation,
          {.name = "perturbation",
           .help = "How each step of the training is perturbed.",
           .kinds = &perturbations()}),
      key(kGroup, &C::penalty,
          {.name = "penalty",
           .help = "A penalty on the loss for leaving the optima of earlier tasks.",
           .kinds = &penalties()}),
      key(kGroup, &C::merge,
          {.name = "merge",
           .help = "The merge rule: how a trained task enters the model. A rule that needs\n"
                   "another way of training is rejected.",
           .kinds = &merge_rules(),
           .check = check_trainable}),
      key(kGroup, &C::curvature,
          {.name = "curvature",
           .help = "Curvature estimate: how sharply a task's loss rises around its optimum.",
           .kinds = &curvatures()}),
      key(kGroup, &C::head,
          {.name = "head",
           .help = "What a task trains on top of the features.",
           .kinds = &head_kinds()}),
      key(kGroup, &C::classifier,
          {.name = "classifier",
           .help = "The classifier over the classes of all tasks. Several: the first is the\n"
                   "run's own, and the others are learned and evaluated beside it.",
           .kinds = &classifiers(),
           .takes_several = true},
          kEverywhere),
  };
}

// What isn't measured may be of any kind.
void forget_unused(RunConfig& config) {
  if (!make_method(config).needs_curvature()) config.curvature = RunConfig().curvature;
}

}  // namespace

// In the order of the help and of the configuration in records.
const KeyTable& all_settings() {
  static const KeyTable table = [] {
    KeyTable all{.keys = {},
                 .check = check_consistent,
                 .check_training = check_trained_views,
                 .forget_unused = forget_unused};
    for (const auto& rows :
         {input_keys(), training_keys(), part_keys(), measuring_keys(), running_keys()}) {
      all.keys.insert(all.keys.end(), rows.begin(), rows.end());
    }
    return all;
  }();
  return table;
}

}  // namespace palimpsest
