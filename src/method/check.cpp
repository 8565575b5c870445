// Which settings exclude one another, whichever part of the method they are of. Parts are asked
// what they do, never what they are called.
#include "check.h"

#include "palimpsest/config/keys.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/method/method.h"

namespace palimpsest {
namespace {

bool trains_weights(const Method& method) { return method.training.adapter->learns(0).any(); }

// "perturbation = sign and merge = closed-form".
std::string perturbation_and_merge(const RunConfig& config) {
  return concat("perturbation = ", config.perturbation, " and merge = ", config.merge);
}

bool perturbs_or_merges(const Method& method) {
  return method.merge->changes_trained() || method.training.perturbation->changes_steps();
}

void check_training(const RunConfig& config, const Method& method) {
  const Perturbation& perturbation = *method.training.perturbation;
  if (!trains_weights(method) && perturbs_or_merges(method)) {
    throw UsageError(concat("adapter = ", config.adapter,
                            " leaves nothing to perturb and nothing to merge, but ",
                            perturbation_and_merge(config), "; set both to none"));
  }
  if (!trains_weights(method) && method.penalty->changes_steps()) {
    throw UsageError(
        concat("a penalty needs an adapter: with adapter = ", config.adapter,
               " no weights are trained that could leave earlier optima; set penalty = none"));
  }
  if (perturbation.noise_size() > 0 && config.precision == Precision::kBf16) {
    throw UsageError(concat(
        "perturbation = ", config.perturbation,
        " adds small noise to the weights, most of which a bf16 sum would lose; set precision = "
        "fp32"));
  }
  method.training.objective->check(*method.training.head);
}

// An objective that predicts tokens has no classes to compare, and every other has.
void check_answers(const RunConfig& config, const Method& method) {
  const bool predicts = method.training.objective->predicts_tokens();
  for (const auto& classifier : method.classifiers) {
    if (classifier->compares_classes() != predicts) continue;
    throw UsageError(
        concat("objective = ", config.objective, " with classifier = ", classifier->text(), ": ",
               predicts ? "tokens are predicted by the backbone's output layer, and no "
                          "classes are compared; set classifier to none"
                        : "a run that trains classes needs a classifier; set classifier to local"));
  }
  if (!predicts) return;
  if (method.needs_curvature() && method.curvature->needs_logits()) {
    throw UsageError(concat(
        "curvature = ", config.curvature, " needs the logits of all classes, but objective = ",
        config.objective, " never has those of a vocabulary together; set curvature to empirical"));
  }
  if (config.scenario != RunConfig().scenario) {
    throw UsageError(concat("scenario = ", name(config.scenario),
                            " is for classes, but objective = ", config.objective,
                            " has none; leave scenario out"));
  }
}

void check_classifier(const RunConfig& config, const Method& method, const Classifier& classifier) {
  const std::string name = concat("classifier = ", classifier.text());
  if (method.training.head->weights() != HeadWeights::kTrained && classifier.aligns_heads()) {
    throw UsageError(concat(name, " trains the heads, but head = ", config.head,
                            " keeps them as they are; set head to one that is trained, or align "
                            "none"));
  }
  if ((config.joint || shares_head(config.scenario)) && classifier.aligns_heads()) {
    throw UsageError(concat(
        name, " aligns the heads of several tasks, but ",
        config.joint ? "joint = true" : concat("scenario = ", palimpsest::name(config.scenario)),
        " has one for all; align none"));
  }
  if (classifier.refits_heads() && !method.merge->changes_trained()) {
    throw UsageError(concat(
        name, " needs a merge: with merge = ", config.merge,
        " the head was trained on the very weights that stay, and there is nothing to refit"));
  }
}

void check_heads(const RunConfig& config, const Method& method) {
  const bool is_made = method.training.head->weights() == HeadWeights::kFromFeatures;
  if (is_made && trains_weights(method)) {
    throw UsageError(concat(
        "head = ", config.head,
        " takes the features of a frozen backbone as they are, but adapter = ", config.adapter,
        " would train it; set adapter, merge and perturbation to none"));
  }
  if (is_made && shares_head(config.scenario)) {
    throw UsageError(concat(
        "head = ", config.head,
        " is newly made from each task's features, but with scenario = ", name(config.scenario),
        " every task brings the same classes again; set head to one that is "
        "trained"));
  }
  for (const auto& classifier : method.classifiers) check_classifier(config, method, *classifier);
}

void check_stream(const RunConfig& config, const Method& method) {
  if (config.joint && config.scenario == Scenario::kTaskIncremental) {
    throw UsageError(
        "scenario = task-incremental says which task a sample is of, but joint = true makes one "
        "task of all; set scenario to class-incremental");
  }
  if (config.joint && perturbs_or_merges(method)) {
    throw UsageError(
        concat("joint = true learns all tasks as one, and leaves nothing to merge and nothing to "
               "perturb for, but ",
               perturbation_and_merge(config), "; set both to none"));
  }
  if (!config.fork.empty() && !config.continue_from.empty()) {
    throw UsageError(concat("--fork ", config.fork, " and --continue ", config.continue_from,
                            ": a run begins from one other run; keep --fork where the protocol has "
                            "the tasks done, --continue where it has only new ones"));
  }
  if (config.joint && !config.continue_from.empty()) {
    throw UsageError(
        "joint = true learns all tasks at once, and --continue those of another run before: leave "
        "one out");
  }
}

// Steps are this times at most kMost batches a pass.
void check_passes(const RunConfig& config) {
  const std::int64_t passes = config.epochs * config.passes_per_epoch;
  if (static_cast<double>(passes) <= kMost) return;
  throw UsageError(concat("epochs = ", config.epochs,
                          " of passes-per-epoch = ", config.passes_per_epoch, " are ", passes,
                          " passes over a task's samples; expected at most ",
                          static_cast<std::int64_t>(kMost)));
}

}  // namespace

// Of training alone: what an earlier version trained can still be evaluated.
void check_trained_views(const RunConfig& config) {
  using enum Augmentation::Kind;
  const Augmentation::Kind kind = config.augmentation.kind;
  const bool augments_more = kind != kNone && kind != kCropFlip;
  if (trains_weights(make_method(config)) || !augments_more) return;
  throw UsageError(
      concat("adapter = ", config.adapter,
             " trains heads on features that are computed once, from the test view of each image, "
             "but augmentation = ",
             name(kind), " needs another view in every pass; set it to none"));
}

void check_consistent(const RunConfig& config) {
  const Method method = make_method(config);
  check_passes(config);
  check_training(config, method);
  check_answers(config, method);
  check_heads(config, method);
  check_stream(config, method);
}

}  // namespace palimpsest
