#include "palimpsest/metrics/accuracy_matrix.h"

#include <gmock/gmock.h>

#include "palimpsest/core/error.h"
#include "rows.h"

namespace palimpsest {
namespace {

// Tasks of 10, 20 and 10 samples.
// R: 0.8 | 0.5 0.6 | 0.6 0.4 0.9;  before the merges the newest task has 0.9, 0.75, 1.0.
AccuracyMatrix worked_example() {
  AccuracyMatrix matrix;
  matrix.add_row(row({10}, {8}), row({10}, {9}));
  matrix.add_row(row({10, 20}, {5, 12}), row({10, 20}, {4, 15}));
  matrix.add_row(row({10, 20, 10}, {6, 8, 9}), row({10, 20, 10}, {1, 2, 10}));
  return matrix;
}

TEST(AccuracyMatrix, GivesTheNumbersWorkedOutByHand) {
  const AccuracyMatrix matrix = worked_example();
  EXPECT_DOUBLE_EQ(*matrix.last(), 23.0 / 40);
  EXPECT_DOUBLE_EQ(matrix.row(2).task_mean(), (0.6 + 0.4 + 0.9) / 3);
  EXPECT_DOUBLE_EQ(*matrix.average_anytime(), (0.8 + 17.0 / 30 + 23.0 / 40) / 3);
  EXPECT_DOUBLE_EQ(*matrix.forgetting(), ((0.8 - 0.6) + (0.6 - 0.4)) / 2);
  EXPECT_DOUBLE_EQ(*matrix.forgetting_from_peak_before_merge(), ((0.9 - 0.6) + (0.75 - 0.4)) / 2);
  EXPECT_DOUBLE_EQ(*matrix.backward_transfer(), ((0.6 - 0.8) + (0.4 - 0.6)) / 2);
  EXPECT_DOUBLE_EQ(matrix.plasticity(), (0.8 + 0.6 + 0.9) / 3);
  EXPECT_DOUBLE_EQ(matrix.plasticity_before_merge(), (0.9 + 0.75 + 1.0) / 3);
  EXPECT_DOUBLE_EQ(mean(matrix.row(2).score("correct_given_task")), 1);
}

// The peak is sought before the last task (l < T): a task that is best at the very end has
// forgotten less than nothing.
TEST(AccuracyMatrix, ForgettingIsNegativeWhereATaskIsBestAtTheEnd) {
  AccuracyMatrix matrix;
  matrix.add_row(row({10}, {5}), row({10}, {5}));
  matrix.add_row(row({10, 10}, {7, 5}), row({10, 10}, {7, 5}));
  EXPECT_DOUBLE_EQ(*matrix.forgetting(), -0.2);
}

TEST(AccuracyMatrix, ForgettingOfOneTaskIsUndefined) {
  AccuracyMatrix matrix;
  EXPECT_FALSE(matrix.last().has_value());
  matrix.add_row(row({10}, {5}), row({10}, {5}));
  EXPECT_FALSE(matrix.forgetting().has_value());
  EXPECT_FALSE(matrix.backward_transfer().has_value());
}

TEST(AccuracyMatrix, RefusesRowsThatDoNotFit) {
  const auto adding = [](EvaluationRow after, EvaluationRow before) {
    return [=] {
      AccuracyMatrix matrix = worked_example();
      matrix.add_row(after, before);
    };
  };
  const EvaluationRow good = row({10, 20, 10, 5}, {1, 1, 1, 1});
  EXPECT_THAT(adding(row({10, 20}, {1, 1}), good),
              testing::ThrowsMessage<Error>(testing::HasSubstr("expected 4")));
  EXPECT_THAT(adding(row({10, 20, 10, 5}, {1, 1, 1, 6}), good),
              testing::ThrowsMessage<Error>(testing::HasSubstr("task 4")));
  EXPECT_THAT(adding(row({11, 20, 10, 5}, {1, 1, 1, 1}), good),
              testing::ThrowsMessage<Error>(testing::HasSubstr("had 10 test samples, now 11")));
  const auto other = [&](std::string name) { return scored(good.samples, {{name, {1, 1, 1, 1}}}); };
  EXPECT_THAT(adding(other("bleu"), good),
              testing::ThrowsMessage<Error>(testing::HasSubstr("was correct, now bleu")));
  EXPECT_THAT(adding(EvaluationRow{.samples = good.samples}, good),
              testing::ThrowsMessage<Error>(testing::HasSubstr("0 scores")));
}

}  // namespace
}  // namespace palimpsest
