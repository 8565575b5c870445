#include "palimpsest/train/training_parts.h"

namespace palimpsest {

TrainingParts make_training_parts(const RunConfig& config) {
  return {.adapter = make_adapter(config),
          .perturbation = make_perturbation(config),
          .objective = make_objective(config),
          .head = make_head_kind(config)};
}

}  // namespace palimpsest
