#pragma once
// The samples of a step, split into lanes, and this rank's lanes of them as the model takes them,
// with how the step is perturbed.
#include <cstdint>
#include <optional>
#include <vector>

#include "palimpsest/data/batch.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/data/task_stream.h"
#include "palimpsest/perturbation/perturbation.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

struct StepInput {
  std::vector<std::int64_t> positions;           // in the task's training set, over all ranks
  std::int64_t predictions = 0;                  // of them, which the loss is a mean over
  std::vector<std::optional<Batch>> lanes = {};  // this rank's; nullopt for an empty one
  // Where every sample has its own c, the batches have it as their numbers.
  StepPerturbation perturbation = {};
};

class StepReader {
 public:
  // All but `own_lanes` outlive it. `own_lanes`: of this rank.
  StepReader(Session& session, const Task& task, const Perturbation& perturbation,
             std::vector<std::int64_t> own_lanes);

  std::int64_t steps_per_pass() const { return sampler_.steps_per_pass(); }

  // A function of the settings and the step (over all passes) alone.
  StepInput read(std::int64_t step);

 private:
  Session& session_;
  const Task& task_;
  const Perturbation& perturbation_;
  std::vector<std::int64_t> own_lanes_;
  Sampler sampler_;
};

}  // namespace palimpsest
