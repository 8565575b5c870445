#include "palimpsest/method/method.h"

namespace palimpsest {

Method make_method(const RunConfig& config) {
  return {.training = make_training_parts(config),
          .penalty = penalties().make(config.penalty),
          .curvature = curvatures().make(config.curvature),
          .merge = make_merge_rule(config.merge),
          .classifier = classifiers().make(config.classifier)};
}

std::vector<NeededMemory> Method::needed_memory(std::int64_t tasks) const {
  std::vector<NeededMemory> needed = classifier->needs(tasks);
  needed.push_back(training.head->needs(tasks));
  if (needs_curvature())
    needed.push_back(curvature->needs(penalty->needs_curvature() ? "the penalty" : "the rule"));
  return needed;
}

}  // namespace palimpsest
