#include "palimpsest/train/training_parts.h"

namespace palimpsest {

TrainingParts make_training_parts(const RunConfig& config) {
  return {.adapter = adapters().make(config.adapter),
          .perturbation = perturbations().make(config.perturbation),
          .objective = objectives().make(config.objective),
          .head = head_kinds().make(config.head)};
}

}  // namespace palimpsest
