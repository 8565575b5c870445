#include "palimpsest/metrics/decomposition.h"

#include <gmock/gmock.h>

#include "palimpsest/core/error.h"
#include "palimpsest/metrics/sweep.h"
#include "rows.h"

namespace palimpsest {
namespace {

EvaluationRow row_in_tens(const Counts& correct, const Counts& given) {
  return counted(Counts(correct.size(), 10), correct, given);
}

// A joint run: one task of the four classes, in another order, 10 samples each.
const TaskClasses kTasks = {{"a", "b"}, {"c", "d"}};
const TaskClasses kJoint = {{"d", "a", "c", "b"}};

EvaluationRow joint_row() {
  return scored({40}, {{"correct", {26}}, {"correct_given_task", {26}}},
                {{10, 10, 10, 10}, {4, 9, 6, 7}});
}

TEST(Decomposition, OfTwoTasksIsThatWorkedOutByHand) {
  AccuracyMatrix accuracy;
  accuracy.add_row(row_in_tens({8}, {8}), row_in_tens({9}, {9}));
  accuracy.add_row(row_in_tens({5, 6}, {7, 8}), row_in_tens({4, 9}, {7, 9}));
  const std::vector<double> joint = accuracy_by_class(kTasks, kJoint, joint_row());
  EXPECT_THAT(joint, testing::ElementsAre(0.8, 0.5));  // a 9, b 7; c 6, d 4

  const auto tasks = decompose(accuracy, std::vector<double>{0.3, 0.5}, joint);
  EXPECT_DOUBLE_EQ(tasks[0].accuracy.value(), 0.5);
  EXPECT_DOUBLE_EQ(tasks[0].task_confusion.value(), 0.7 - 0.5);
  EXPECT_DOUBLE_EQ(tasks[0].plasticity_before, 0.9);
  EXPECT_DOUBLE_EQ(tasks[0].merge_cost, 0.9 - 0.8);
  EXPECT_DOUBLE_EQ(tasks[0].placed.value(), (0.5 - 0.3) / (0.8 - 0.3));
  EXPECT_DOUBLE_EQ(tasks[1].task_confusion.value(), 0.8 - 0.6);
  EXPECT_DOUBLE_EQ(tasks[1].merge_cost, 0.9 - 0.6);
  EXPECT_FALSE(tasks[1].placed.has_value());  // the bounds don't differ
  EXPECT_FALSE(decompose(accuracy)[0].frozen.has_value());
}

TEST(Decomposition, TheSameTasksAreTakenAsTheyAre) {
  EXPECT_THAT(accuracy_by_class(kTasks, kTasks, row_in_tens({3, 6}, {5, 7})),
              testing::ElementsAre(0.3, 0.6));
}

// A continued run that can't test the first of its tasks any more.
TEST(Decomposition, OfATaskThatIsNotTestedHasNoLastAccuracy) {
  AccuracyMatrix accuracy;
  accuracy.add_row(row_in_tens({8}, {8}), row_in_tens({9}, {9}));
  const EvaluationRow second = counted({0, 10}, {0, 6}, {0, 8});
  accuracy.add_row(second, second);
  const auto tasks =
      decompose(accuracy, std::vector<double>{0.3, 0.2}, std::vector<double>{0.8, 0.7});
  EXPECT_FALSE(tasks[0].accuracy || tasks[0].given_task || tasks[0].task_confusion);
  EXPECT_FALSE(tasks[0].placed.has_value());
  EXPECT_DOUBLE_EQ(tasks[0].merge_cost, 0.9 - 0.8);
  EXPECT_DOUBLE_EQ(tasks[1].placed.value(), (0.6 - 0.2) / (0.7 - 0.2));
  EXPECT_THAT([&] { accuracy_by_class(kTasks, kTasks, second); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("tested on task 1")));
}

TEST(Decomposition, RefusesABoundThatLacksAClassOrItsCounts) {
  using testing::HasSubstr;
  EXPECT_THAT(([] {
                accuracy_by_class({{"a", "e"}}, kJoint, joint_row());
              }),
              testing::ThrowsMessage<InputError>(HasSubstr("'e'")));
  EXPECT_THAT(([] { accuracy_by_class(kTasks, kJoint, row_in_tens({20}, {20})); }),
              testing::ThrowsMessage<InputError>(HasSubstr("no counts by class")));
  AccuracyMatrix accuracy;
  accuracy.add_row(row_in_tens({8}, {8}), row_in_tens({9}, {9}));
  EXPECT_THROW(decompose(accuracy, std::vector<double>{0.1, 0.2}), Error);
}

TEST(Sweep, HasTheEndsAndTheRunsOwnAlpha) {
  EXPECT_THAT(sweep_alphas(3, 0.3), testing::ElementsAre(0, 0.3, 0.5, 1));
  EXPECT_THAT(sweep_alphas(3, 0.5), testing::ElementsAre(0, 0.5, 1));
  EXPECT_THAT(sweep_alphas(2, std::nullopt), testing::ElementsAre(0, 1));
  EXPECT_THROW(sweep_alphas(1, 0.5), Error);
}

TEST(Sweep, TheBestIsTheMostAccurateThenTheLeastLossThenTheSmallest) {
  const auto point = [](double alpha, std::int64_t correct, std::int64_t given, double loss) {
    EvaluationRow made = row_in_tens({correct}, {given});
    made.add("correct_top5", sums(made.samples));
    made.add("loss_given_task", {loss});
    return SweepPoint{alpha, made};
  };
  const std::vector<SweepPoint> points = {point(0, 5, 9, 1), point(0.25, 7, 8, 3),
                                          point(0.5, 7, 8, 2), point(1, 7, 8, 2)};
  EXPECT_EQ(best_point(points, false), 2u);
  EXPECT_EQ(best_point(points, true), 0u);
  EXPECT_THROW(best_point({}, false), Error);
}

}  // namespace
}  // namespace palimpsest
