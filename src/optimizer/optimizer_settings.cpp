#include "palimpsest/optimizer/optimizer_settings.h"

namespace palimpsest {

OptimizerSettings optimizer_settings(const RunConfig& config) {
  return {.learning_rate = config.lr,
          .head_learning_rate = config.head_lr,
          .weight_decay = config.weight_decay,
          .clip_norm = config.clip_norm,
          .schedule = config.schedule};
}

}  // namespace palimpsest
