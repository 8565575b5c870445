#pragma once
// Rows of the accuracy matrix, as the evaluator makes them.
#include <initializer_list>
#include <utility>
#include <vector>

#include "palimpsest/core/evaluation_row.h"

namespace palimpsest {

using Counts = std::vector<std::int64_t>;

// Scores divided by the samples. `classes`: samples and correct by class.
inline EvaluationRow scored(const Counts& samples,
                            const std::vector<std::pair<std::string, std::vector<double>>>& scores,
                            const std::pair<Counts, Counts>& classes = {}) {
  EvaluationRow row{.samples = samples};
  for (const auto& [name, sums] : scores) row.add(name, sums);
  row.class_samples = classes.first;
  row.class_correct = classes.second;
  return row;
}

inline std::vector<double> sums(const Counts& counts) { return {counts.begin(), counts.end()}; }

// What every version has counted.
inline EvaluationRow counted(const Counts& samples, const Counts& correct, const Counts& given) {
  return scored(samples, {{"correct", sums(correct)}, {"correct_given_task", sums(given)}});
}

// The sums of a score, to be changed.
inline std::vector<double>& score_sums(EvaluationRow& row, std::string_view name) {
  return const_cast<Score&>(row.score(name)).sums;
}

}  // namespace palimpsest
