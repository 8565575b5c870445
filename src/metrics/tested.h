#pragma once
// Means over tasks and rows where some tasks were not tested.
#include <cstddef>
#include <optional>
#include <vector>

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

// The mean over rows of what each says of all tasks seen; nullopt unless all of them do.
inline std::optional<double> mean_over_rows(const std::vector<EvaluationRow>& rows,
                                            double (EvaluationRow::*value)() const) {
  double sum = 0;
  for (const EvaluationRow& row : rows) {
    if (!is_over_seen(row)) return std::nullopt;
    sum += (row.*value)();
  }
  if (rows.empty()) return std::nullopt;
  return sum / static_cast<double>(rows.size());
}

}  // namespace palimpsest
