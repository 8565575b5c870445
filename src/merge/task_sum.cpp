#include "task_sum.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

MergeNeeds all_task_vectors(Origin start) {
  return {.start = start, .vectors = Origin::kPretrained, .memory = RuleMemory::kAllTaskVectors};
}

std::span<const std::span<const float>> checked_task_vectors(const MergeInput& input,
                                                             std::span<const float> result) {
  const auto vectors = input.all_task_vectors;
  if (std::ssize(vectors) != input.task + 1) {
    throw Error(concat("merge of task ", input.task + 1, ": ", vectors.size(),
                       " task vectors; expected one for each task"));
  }
  for (const std::span<const float> vector : vectors) {
    if (vector.size() == result.size()) continue;
    throw Error(concat("merge of task ", input.task + 1, ": a task vector of ", vector.size(),
                       " values; expected ", result.size()));
  }
  return vectors;
}

SettingSpec scale_key(std::optional<SettingValue> default_value) {
  return {.name = "scale",
          .default_value = std::move(default_value),
          .minimum = 0,
          .maximum = 10,
          .above_minimum = true};
}

}  // namespace palimpsest
