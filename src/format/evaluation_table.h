#pragma once
// The rows of an accuracy matrix as a state has them: one evaluation whose arrays have a row for
// each task, what it has and then zeros. A row has no weight at all in a score that only others
// have.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/metrics/accuracy_matrix.h"
#include "palimpsest/metrics/scores.h"

namespace palimpsest {

// Files of 1.x don't name their scores. The first two are in all of them, the others came with 1.2,
// together with counts by class.
inline constexpr std::array<std::string_view, 5> kScoresOfVersion1 = {
    "correct", "correct_given_task", "correct_top5", "correct_task", "loss_given_task"};

// What a score is divided by, where it isn't the samples.
std::vector<double> own_weights(const Score& score, const EvaluationRow& row);
// The inverse.
void take_weights(Score& score, const EvaluationRow& row, std::vector<double> own);

using RowOfTask = const EvaluationRow& (AccuracyMatrix::*)(std::size_t) const;
EvaluationRow to_evaluation_table(const AccuracyMatrix& accuracy, RowOfTask row);
// classes: by task; the tables have a row for each, of the lengths that they give. Throws Error
// where counts don't fit.
AccuracyMatrix to_accuracy_matrix(const EvaluationRow& after_merge,
                                  const EvaluationRow& before_merge,
                                  const std::vector<std::vector<std::string>>& classes,
                                  bool is_of_version_1);

}  // namespace palimpsest
