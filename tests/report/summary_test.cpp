// The table at the end of a run.
#include <gmock/gmock.h>

#include <sstream>

#include "palimpsest/core/error.h"
#include "palimpsest/report/views.h"
#include "support/scored_row.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;
using testing::Not;

// After task t, on task j: 90 - 10 (t - j) of 100, never below 10; ten more before the merge on the
// newest task.
AccuracyMatrix make_matrix(int tasks) {
  AccuracyMatrix matrix;
  for (int t = 0; t < tasks; ++t) {
    const std::size_t seen = static_cast<std::size_t>(t) + 1;
    Counts correct, given(seen, 95);
    for (int j = 0; j <= t; ++j) correct.push_back(std::max(10, 90 - 10 * (t - j)));
    const EvaluationRow after = counted(Counts(seen, 100), correct, given);
    correct.back() = given.back() = 100;
    matrix.add_row(after, counted(Counts(seen, 100), correct, given));
  }
  return matrix;
}

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, line.size());
  return widest;
}

TEST(Summary, ShowsMatrixAlphasAndNumbers) {
  EXPECT_EQ(
      summary_table(make_matrix(3), {1, 0.5, 0.25}),
      "Accuracy in % after each task (row) on the test samples of each task (column), choosing "
      "among all\n"
      "classes seen. all: on the samples of all tasks so far.\n"
      "\n"
      "after     1     2     3   all  alpha\n"
      "    1  90.0              90.0  1.000\n"
      "    2  80.0  90.0        85.0  0.500\n"
      "    3  70.0  80.0  90.0  80.0  0.250\n"
      "\n"
      "last accuracy                 80.0  %       after the last task, on all tasks' samples\n"
      "  mean over tasks             80.0  %       the same, every task counting alike\n"
      "average anytime accuracy      85.0  %       mean of the accuracies on all tasks so far\n"
      "forgetting                    15.0  points  best accuracy on a task, minus the last\n"
      "  from before the merge       25.0  points  the same, counting what was reached before a "
      "merge\n"
      "backward transfer            -15.0  points  last accuracy on a task, minus its first\n"
      "plasticity before the merge  100.0  %       accuracy on the newest task, mean over tasks\n"
      "plasticity after the merge    90.0  %       the same, of the model that stays\n"
      "accuracy given the task       95.0  %       as last, choosing among the task's classes "
      "only\n");
}

TEST(Summary, HeadsWithTheAccuracyGivenTheTask) {
  const std::string table = summary_table(make_matrix(3), {1, 0.5, 0.25}, 100, /*task_given=*/true);
  EXPECT_THAT(table, HasSubstr("    3  95.0  95.0  95.0  95.0  0.250\n"));
  EXPECT_THAT(table, HasSubstr("last accuracy                 95.0  %"));
  EXPECT_THAT(table, HasSubstr("forgetting                     0.0  points"));
  EXPECT_THAT(table, HasSubstr("  from before the merge        5.0  points"));
  EXPECT_THAT(table, HasSubstr("accuracy without the task     80.0  %"));
  EXPECT_THAT(table, Not(HasSubstr("accuracy given the task")));
}

TEST(Summary, ShowsADashWhereATaskWasNotTested) {
  AccuracyMatrix matrix = make_matrix(1);
  const EvaluationRow row = counted({0, 100}, {0, 50}, {0, 60});
  matrix.add_row(row, row);
  const std::string table = summary_table(matrix, {});
  EXPECT_THAT(table, HasSubstr("    2     -  50.0     -\n"));
  EXPECT_THAT(table, HasSubstr("-: not tested"));
  EXPECT_THAT(table, HasSubstr("backward transfer               -"));
  EXPECT_THAT(summary_table(make_matrix(2), {}), Not(HasSubstr("not tested")));
}

TEST(Summary, LeavesAlphaOutWhereNothingIsMerged) {
  EXPECT_THAT(summary_table(make_matrix(3), {}), Not(HasSubstr("alpha")));
}

TEST(Summary, TwentyTasksFit100ColumnsWithAllTheirCells) {
  const std::string table = summary_table(make_matrix(20), std::vector<double>(20, 0.05));
  EXPECT_LE(widest_line(table), 100u);
  EXPECT_THAT(table, HasSubstr("60  70  80  90   28  0.050\n"));
}

TEST(Summary, SixtyTasksKeepTheLinesShortWithoutTheColumns) {
  const std::string table = summary_table(make_matrix(60), std::vector<double>(60, 0.05));
  EXPECT_LE(widest_line(table), 100u);
  EXPECT_THAT(table, HasSubstr("after   new   all  alpha\n"));
}

TEST(Summary, OneTaskHasNothingToForget) {
  EXPECT_THAT(summary_table(make_matrix(1), {1}), HasSubstr("needs an earlier task"));
}

TEST(Summary, SaysThatNothingIsFinished) {
  EXPECT_EQ(summary_table(AccuracyMatrix(), {}), "No task is finished yet.\n");
}

TEST(Summary, RefusesAlphasThatDoNotFit) {
  try {
    summary_table(make_matrix(3), {1, 0.5});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("each of 3"), HasSubstr("found 2")));
  }
}

}  // namespace
}  // namespace palimpsest
