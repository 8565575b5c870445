#pragma once
// Means over tasks that may not have been tested everywhere.
#include <cstddef>
#include <optional>

#include "palimpsest/metrics/accuracy_matrix.h"

namespace palimpsest {

inline bool is_tested(const EvaluationRow& row, std::size_t task) { return row.samples[task] > 0; }

// The mean over those of the first `tasks` tasks that were tested in `row`; nullopt where there are
// none. value(j): of task j.
template <typename Value>
std::optional<double> mean_over_tested(const EvaluationRow& row, std::size_t tasks,
                                       const Value& value) {
  double sum = 0;
  std::size_t tested = 0;
  for (std::size_t j = 0; j < tasks; ++j) {
    if (!is_tested(row, j)) continue;
    sum += value(j);
    ++tested;
  }
  if (tested == 0) return std::nullopt;
  return sum / static_cast<double>(tested);
}

}  // namespace palimpsest
