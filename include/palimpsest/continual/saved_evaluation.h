#pragma once
// Saved weights on a split of the data, or on samples of any pack, outside of a run: palimpsest
// eval and palimpsest predict.
#include <span>
#include <string_view>
#include <vector>

#include "palimpsest/continual/saved_weights.h"
#include "palimpsest/evaluate/generation.h"
#include "palimpsest/metrics/sweep.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// Collective. Opens what the settings name and checks it against the weights: backbone, adapted
// modules, classes. The session's tasks are those of the weights, with the split that was chosen as
// their `test`: test | validation | train. Tasks whose classes (of domains: whose names) the
// protocol lacks are not tested: they have no samples, and a remark of the inputs names them.
// Throws InputError or UsageError, saying what doesn't fit.
Session open_evaluation(const RunConfig& config, const SavedWeights& saved, std::string_view split,
                        HostGroup& group, Watchdog& watchdog);

// The same for samples that belong to no task: all of a pack's (split: all), or its training or
// test samples, as the only task's test samples. Their targets are positions among the classes of
// all the weights' tasks; -1 for a class that the weights don't know, which a remark names.
Session open_samples(const RunConfig& config, const SavedWeights& saved, std::string_view split,
                     HostGroup& group, Watchdog& watchdog);

// The same for the prompts of a pack of sequences: all samples of a split are the only task's test
// samples.
Session open_prompts(const RunConfig& config, const SavedWeights& saved, std::string_view split,
                     HostGroup& group, Watchdog& watchdog);

// Collective: generate() at the saved weights.
std::vector<TokenIds> generate_at(Session& session, const SavedWeights& saved,
                                  std::span<const TokenIds> prompts,
                                  const GenerationLimits& limits);

// Collective. Completes the memory of saved weights by what the session's classifiers
// (--classifier) need to answer: of those that weren't part of the run, statistics are gathered
// again, task by task at its own theta_hat_t, and a remark of the inputs says so. Throws InputError
// where that is not possible: no run folder, or samples that are missing.
void complete_memory(Session& session, SavedWeights& saved);

// Collective, and throws Stopped between two chunks. The scores of the session's samples, over all
// classes of the weights, by each of its classifiers: [samples, classes], row-major, on rank 0;
// empty elsewhere.
std::vector<std::vector<float>> scores_at(Session& session, const SavedWeights& saved);

// Collective, and throws Stopped likewise; the same on every rank. A row for each of the session's
// classifiers at the saved weights.
std::vector<EvaluationRow> evaluate_saved(Session& session, const SavedWeights& saved);

// Collective. The newest merge of a run, along its line, by the session's first classifier, which
// takes in the newest task again at every point. Needs the run's last two states, which every run
// keeps. Throws InputError where one is missing.
Sweep sweep_newest_merge(Session& session, const SavedWeights& saved, std::size_t points);

}  // namespace palimpsest
