#pragma once
// What rules share that merge all task vectors at once, measured from theta_hat_0.
#include "palimpsest/core/parallel.h"
#include "rules.h"

namespace palimpsest {

// What these rules need of a run whose tasks are trained from `start`.
MergeNeeds all_task_vectors(Origin start);

// All task vectors so far. Throws Error unless there is one for each task, of the result's size.
std::span<const std::span<const float>> checked_task_vectors(const MergeInput& input,
                                                             std::span<const float> result);

// result = scale * merged_value(i), element by element, rounded once. The output's coefficient is
// the scale.
template <typename MergedValue>
RuleOutput write_scaled(double scale, std::span<float> result, const MergedValue& merged_value) {
  for_each_part(result.size(), 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      result[i] = static_cast<float>(scale * merged_value(i));
  });
  RuleOutput output;
  output.coefficients = {scale};
  return output;
}

// The key `scale`: lambda of theta_hat_0 + lambda * merged task vector.
SettingSpec scale_key(std::optional<SettingValue> default_value);

}  // namespace palimpsest
