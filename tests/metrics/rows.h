#pragma once
// Rows of the accuracy matrix.
#include <vector>

#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

// By task; given the task, every sample is right.
inline EvaluationRow row(std::vector<std::int64_t> samples, std::vector<std::int64_t> correct) {
  return {.samples = samples, .correct = correct, .correct_given_task = samples};
}

}  // namespace palimpsest
