#pragma once
// Means and peaks over tasks that may not have been tested everywhere.
#include <algorithm>
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

// The best accuracy on a task in the rows from its own to the one before `end`. row_of(l): row l.
template <typename RowOf>
double peak(const RowOf& row_of, std::size_t task, std::size_t end) {
  double best = 0;  // an untested row has no accuracy: 0 is never more than what was tested
  for (std::size_t l = task; l < end; ++l) best = std::max(best, row_of(l).accuracy(task));
  return best;
}

}  // namespace palimpsest
