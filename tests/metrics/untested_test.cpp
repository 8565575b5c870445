// Tasks whose test samples aren't available any more, and accuracy given the task.
#include <gmock/gmock.h>

#include <random>

#include "palimpsest/core/error.h"
#include "palimpsest/metrics/accuracy_matrix.h"
#include "rows.h"

namespace palimpsest {
namespace {

// Tasks of 10, 20, 10 and 40 samples; from the third on, the first isn't tested any more.
// R: 0.8 | 0.5 0.6 | - 0.7 0.9 | - 0.4 0.5 0.25; before the merges as after them, except for the
// newest task of the second row, 0.75.
AccuracyMatrix untested_example() {
  AccuracyMatrix matrix;
  matrix.add_row(row({10}, {8}), row({10}, {8}));
  matrix.add_row(row({10, 20}, {5, 12}), row({10, 20}, {5, 15}));
  matrix.add_row(row({0, 20, 10}, {0, 14, 9}), row({0, 20, 10}, {0, 14, 9}));
  matrix.add_row(row({0, 20, 10, 40}, {0, 8, 5, 10}), row({0, 20, 10, 40}, {0, 8, 5, 10}));
  return matrix;
}

TEST(UntestedTasks, AreLeftOutOfEveryMean) {
  const AccuracyMatrix matrix = untested_example();
  EXPECT_DOUBLE_EQ(*matrix.last(), 23.0 / 70);
  EXPECT_DOUBLE_EQ(matrix.row(3).task_mean(), (0.4 + 0.5 + 0.25) / 3);
  EXPECT_DOUBLE_EQ(*matrix.average_anytime(), (0.8 + 17.0 / 30 + 23.0 / 30 + 23.0 / 70) / 4);
  EXPECT_DOUBLE_EQ(*matrix.forgetting(), ((0.7 - 0.4) + (0.9 - 0.5)) / 2);
  EXPECT_DOUBLE_EQ(*matrix.forgetting_from_peak_before_merge(), ((0.75 - 0.4) + (0.9 - 0.5)) / 2);
  EXPECT_DOUBLE_EQ(*matrix.backward_transfer(), ((0.4 - 0.6) + (0.5 - 0.9)) / 2);
  EXPECT_DOUBLE_EQ(matrix.plasticity(), (0.8 + 0.6 + 0.9 + 0.25) / 4);
  EXPECT_DOUBLE_EQ(matrix.plasticity_before_merge(), (0.8 + 0.75 + 0.9 + 0.25) / 4);
}

TEST(UntestedTasks, AllOfThemLeaveWhatIsOverAllTasksUndefined) {
  AccuracyMatrix matrix;
  matrix.add_row(row({10}, {8}), row({10}, {8}));
  matrix.add_row(row({0, 20}, {0, 5}), row({0, 20}, {0, 5}));
  EXPECT_FALSE(matrix.forgetting().has_value());
  EXPECT_FALSE(matrix.forgetting_from_peak_before_merge().has_value());
  EXPECT_FALSE(matrix.backward_transfer().has_value());
  EXPECT_FALSE(matrix.last().has_value());
  EXPECT_DOUBLE_EQ(matrix.plasticity(), (0.8 + 0.25) / 2);
}

// --evaluate last: the newest alone, until the last task.
TEST(UntestedTasks, InOneRowLeaveTheMeanOverRowsUndefined) {
  AccuracyMatrix matrix;
  matrix.add_row(row({10}, {8}), row({10}, {8}));
  EXPECT_DOUBLE_EQ(*matrix.average_anytime(), 0.8);
  matrix.add_row(row({0, 20}, {0, 12}), row({0, 20}, {0, 15}));
  matrix.add_row(row({10, 20, 10}, {5, 8, 9}), row({0, 0, 10}, {0, 0, 10}));
  EXPECT_DOUBLE_EQ(*matrix.last(), 22.0 / 40);
  EXPECT_FALSE(matrix.average_anytime().has_value());
  EXPECT_FALSE(matrix.average_anytime_before_merge().has_value());
  EXPECT_FALSE(matrix.average_anytime_task_mean().has_value());
  EXPECT_DOUBLE_EQ(*matrix.forgetting(), ((0.8 - 0.5) + (0.6 - 0.4)) / 2);
  EXPECT_DOUBLE_EQ(*matrix.forgetting_from_peak_before_merge(), ((0.8 - 0.5) + (0.75 - 0.4)) / 2);
  EXPECT_DOUBLE_EQ(*matrix.backward_transfer(), ((0.5 - 0.8) + (0.4 - 0.6)) / 2);
  EXPECT_DOUBLE_EQ(matrix.plasticity(), (0.8 + 0.6 + 0.9) / 3);
}

// A later pack may have the samples again: then those of before.
TEST(UntestedTasks, MayBeTestedAgainOnTheSameSamples) {
  AccuracyMatrix matrix = untested_example();
  matrix.add_row(row({10, 20, 10, 40, 10}, {3, 8, 5, 10, 9}),
                 row({10, 20, 10, 40, 10}, {3, 8, 5, 10, 9}));
  EXPECT_DOUBLE_EQ(*matrix.forgetting(), ((0.8 - 0.3) + (0.7 - 0.4) + (0.9 - 0.5) + 0) / 4);
  matrix = untested_example();
  const EvaluationRow others = row({11, 20, 10, 40, 10}, {3, 8, 5, 10, 9});
  EXPECT_THAT(
      [&] { matrix.add_row(others, others); },
      testing::ThrowsMessage<Error>(testing::HasSubstr("task 1 had 10 test samples, now 11")));
}

TEST(UntestedTasks, AreNeverTheNewestAndHaveNothingCorrect) {
  const auto adding = [](EvaluationRow after, EvaluationRow before) {
    return [=] {
      AccuracyMatrix matrix;
      matrix.add_row(row({10}, {8}), row({10}, {8}));
      matrix.add_row(after, before);
    };
  };
  const EvaluationRow good = row({0, 20}, {0, 1});
  EXPECT_NO_THROW(adding(good, good)());
  EXPECT_NO_THROW(adding(row({10, 20}, {1, 1}), good)());  // before the merge the newest alone
  EXPECT_THAT(adding(row({10, 0}, {1, 0}), row({10, 0}, {1, 0})),
              testing::ThrowsMessage<Error>(testing::HasSubstr("task 2")));
  EXPECT_THAT(adding(row({0, 20}, {1, 1}), good),
              testing::ThrowsMessage<Error>(testing::HasSubstr("task 1 has 1")));
  EXPECT_THAT(adding(good, row({10, 20}, {1, 1})),
              testing::ThrowsMessage<Error>(testing::HasSubstr("task 1 had 0 test samples")));
}

// By the definitions, from a full matrix of fractions with holes, in another order of summation.
TEST(UntestedTasks, RandomMatricesFollowTheDefinitions) {
  std::mt19937 random(7);
  const auto upto = [&](std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(0, most)(random);
  };
  for (int trial = 0; trial < 1000; ++trial) {
    const auto tasks = static_cast<std::size_t>(2 + upto(5));
    Counts sizes;
    for (std::size_t j = 0; j < tasks; ++j) sizes.push_back(1 + upto(30));
    AccuracyMatrix matrix;
    for (std::size_t t = 0; t < tasks; ++t) {
      Counts samples;
      for (std::size_t j = 0; j <= t; ++j) samples.push_back(j == t || upto(2) > 0 ? sizes[j] : 0);
      const auto counts = [&] {
        Counts drawn;
        for (const std::int64_t n : samples) drawn.push_back(upto(n));
        return drawn;
      };
      matrix.add_row(counted(samples, counts(), counts()), counted(samples, counts(), counts()));
    }
    for (const AccuracyMatrix& shown : {matrix, given_task(matrix)}) {
      const std::size_t last = tasks - 1;
      const auto& last_row = shown.row(last);
      double forgotten = 0, transferred = 0, count = 0;
      for (std::size_t j = last; j-- > 0;) {
        if (last_row.samples[j] == 0) continue;
        std::vector<double> reached;
        for (std::size_t l = j; l < last; ++l) {
          if (shown.row(l).samples[j] > 0) reached.push_back(shown.row(l).accuracy(j));
        }
        const double now = last_row.accuracy(j);
        forgotten += std::ranges::max(reached) - now;
        transferred += now - reached.front();
        ++count;
      }
      ASSERT_EQ(shown.forgetting().has_value(), count > 0);
      if (count == 0) continue;
      EXPECT_NEAR(*shown.forgetting(), forgotten / count, 1e-14);
      EXPECT_NEAR(*shown.backward_transfer(), transferred / count, 1e-14);
    }
  }
}

TEST(GivenTheTask, EveryNumberIsReadFromWhatWasCorrectGivenTheTask) {
  const auto with_all = [](Counts samples, Counts correct, Counts given) {
    return scored(samples,
                  {{"correct", sums(correct)},
                   {"correct_given_task", sums(given)},
                   {"correct_top5", sums(samples)},
                   {"loss_given_task", std::vector<double>(samples.size(), 0.5)}},
                  {samples, correct});
  };
  AccuracyMatrix matrix;
  matrix.add_row(with_all({10}, {1}, {8}), with_all({10}, {2}, {9}));
  matrix.add_row(with_all({10, 20}, {3, 4}, {5, 12}), with_all({10, 20}, {0, 0}, {4, 15}));
  const AccuracyMatrix given = given_task(matrix);
  EXPECT_DOUBLE_EQ(*given.last(), 17.0 / 30);
  EXPECT_DOUBLE_EQ(*given.last(), mean(matrix.row(1).score("correct_given_task")));
  EXPECT_DOUBLE_EQ(*given.average_anytime(), (0.8 + 17.0 / 30) / 2);
  EXPECT_DOUBLE_EQ(*given.forgetting(), 0.8 - 0.5);
  EXPECT_DOUBLE_EQ(*given.forgetting_from_peak_before_merge(), 0.9 - 0.5);
  EXPECT_DOUBLE_EQ(*given.backward_transfer(), 0.5 - 0.8);
  EXPECT_DOUBLE_EQ(given.plasticity(), (0.8 + 0.6) / 2);
  EXPECT_DOUBLE_EQ(given.plasticity_before_merge(), (0.9 + 0.75) / 2);
  EXPECT_EQ(given.row(1), scored({10, 20}, {{"correct_given_task", {5, 12}}}));
  EXPECT_THROW(given_task(scored({10}, {{"bleu", {5}}})), Error);
}

}  // namespace
}  // namespace palimpsest
