// Which settings exclude one another, whichever part of the method they are of.
#include "keys.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

void check_heads(const RunConfig& config) {
  const bool one_head = config.joint || config.scenario == "domain-incremental";
  if (config.head == "prototype" && config.adapter != "none") {
    throw UsageError(
        concat("head = prototype takes the class means of a frozen backbone as they are, but "
               "adapter = ",
               config.adapter, " would train it; set adapter, merge and perturbation to none"));
  }
  if (config.head == "prototype" && config.scenario == "domain-incremental") {
    throw UsageError(
        "head = prototype keeps one mean for each class of a task, but with scenario = "
        "domain-incremental every task brings the same classes again; set head to cosine");
  }
  if (config.head_align && config.head == "prototype") {
    throw UsageError(
        "head-align = true trains the heads, but head = prototype keeps them as class means; set "
        "head to cosine, or head-align to false");
  }
  if (config.head_align && one_head) {
    throw UsageError(concat("head-align = true aligns the heads of several tasks, but ",
                            config.joint ? "joint = true" : "scenario = domain-incremental",
                            " has one for all; set head-align to false"));
  }
}

void check_stream(const RunConfig& config) {
  if (config.joint && config.scenario == "task-incremental") {
    throw UsageError(
        "scenario = task-incremental says which task a sample is of, but joint = true makes one "
        "task of all; set scenario to class-incremental");
  }
  if (config.joint && (config.merge != "none" || config.perturbation != "none")) {
    throw UsageError(
        concat("joint = true learns all tasks as one, and leaves nothing to merge and nothing to "
               "perturb for, but perturbation = ",
               config.perturbation, " and merge = ", config.merge, "; set both to none"));
  }
  if (!config.fork.empty() && !config.continue_from.empty()) {
    throw UsageError(
        concat("--fork ", config.fork, " and --continue ", config.continue_from,
               ": a run begins from one other run; keep --fork where the protocol holds "
               "the tasks done, --continue where it holds only new ones"));
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
  const bool augments_more = config.augmentation != "none" && config.augmentation != "crop-flip";
  if (config.adapter != "none" || !augments_more) return;
  throw UsageError(
      concat("adapter = none trains heads on features that are computed once, from the test view "
             "of each image, but augmentation = ",
             config.augmentation, " asks for another view in every pass; set it to none"));
}

void check_consistent(const RunConfig& config) {
  check_passes(config);
  if (config.adapter == "none" && (config.merge != "none" || config.perturbation != "none")) {
    throw UsageError(
        concat("adapter = none leaves nothing to perturb and nothing to merge, but perturbation = ",
               config.perturbation, " and merge = ", config.merge, "; set both to none"));
  }
  if (config.ewc > 0 && config.adapter == "none") {
    throw UsageError(
        "ewc > 0 needs an adapter: with adapter = none no weights are trained that could leave "
        "earlier optima; set ewc = 0");
  }
  if (config.perturbation == "uniform" && config.epsilon != RunConfig().epsilon) {
    throw UsageError(
        concat("perturbation = uniform draws its scales from [1/t, 1] and has no "
               "epsilon, but epsilon = ",
               config.epsilon, "; leave it out"));
  }
  if (config.perturbation == "gaussian" && config.precision == "bf16") {
    throw UsageError(
        "perturbation = gaussian adds small noise to the weights, most of which a bf16 sum would "
        "lose; set precision = fp32");
  }
  if (config.head_refit && config.merge == "none") {
    throw UsageError(
        "head-refit = true needs a merge: with merge = none the head was trained on the very "
        "weights that stay, and there is nothing to refit");
  }
  check_heads(config);
  check_stream(config);
}

}  // namespace palimpsest
