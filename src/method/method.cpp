#include "palimpsest/method/method.h"

namespace palimpsest {

Method make_method(const RunConfig& config) {
  return {.training = make_training_parts(config),
          .penalty = make_penalty(config),
          .curvature = make_curvature(config),
          .merge = make_merge_rule(config.merge)};
}

}  // namespace palimpsest
