#pragma once
// What classifiers would have learned, had they been part of a recorded run.
#include <filesystem>
#include <memory>
#include <span>

#include "palimpsest/classifier/classifier.h"
#include "palimpsest/continual/saved_weights.h"

namespace palimpsest {

// Collective. The memory that these classifiers have after the first `tasks` tasks of the run:
// each takes in task after task at the task's own theta_hat_t, from the training samples of the
// session. Every rank merges the run again, and compares each theta_hat with its recorded hash.
// With the heads of these tasks. Throws UsageError for weights outside of a run, InputError where
// the samples of a task are missing, or as remerge_run().
NamedTensors learn_again(Session& session, const SavedWeights& saved, std::int64_t tasks,
                         std::span<const std::unique_ptr<Classifier>> classifiers);

}  // namespace palimpsest
