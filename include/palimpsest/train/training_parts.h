#pragma once
// The parts of the method that a task's training is made of.
#include <memory>

#include "palimpsest/adapter/adapter.h"
#include "palimpsest/config/run_config.h"
#include "palimpsest/head/head.h"
#include "palimpsest/objective/objective.h"
#include "palimpsest/perturbation/perturbation.h"

namespace palimpsest {

struct TrainingParts {
  std::unique_ptr<Adapter> adapter;
  std::unique_ptr<Perturbation> perturbation;
  std::unique_ptr<Objective> objective;
  std::shared_ptr<const HeadType> head;
};

// Throws UsageError for a part that isn't known.
inline TrainingParts make_training_parts(const RunConfig& config) {
  return {.adapter = adapters().make(config.adapter),
          .perturbation = perturbations().make(config.perturbation),
          .objective = objectives().make(config.objective),
          .head = head_kinds().make(config.head)};
}

}  // namespace palimpsest
