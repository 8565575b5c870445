// What evaluations count since version 1.2 of the format, in task and state records.
#include <gmock/gmock.h>

#include "../../src/format/h5.h"
#include "fixtures.h"
#include "palimpsest/core/error.h"
#include "palimpsest/format/records.h"

namespace palimpsest {
namespace {

class EvaluationRowsTest : public FolderTest {};

// Tasks of two classes, 50 samples each; `correct` of them right.
EvaluationRow detailed(std::size_t tasks, std::int64_t correct) {
  const std::vector<std::int64_t> each(tasks, correct);
  EvaluationRow row{.samples = std::vector<std::int64_t>(tasks, 50),
                    .correct = each,
                    .correct_given_task = std::vector<std::int64_t>(tasks, correct + 1),
                    .correct_top5 = std::vector<std::int64_t>(tasks, 50),
                    .correct_task = std::vector<std::int64_t>(tasks, correct + 2),
                    .loss_given_task = std::vector<double>(tasks, 12.5)};
  for (std::size_t j = 0; j < tasks; ++j) {
    row.class_samples.push_back(20);
    row.class_samples.push_back(30);
    row.class_correct.push_back(3);
    row.class_correct.push_back(correct - 3);
  }
  return row;
}

TEST_F(EvaluationRowsTest, ATaskRecordReturnsThem) {
  TaskRecord record = sample_task(1);
  record.metrics.before_merge = detailed(2, 20);
  record.metrics.after_merge = detailed(2, 15);
  record.metrics.rise_predicted = 0.25;
  record.metrics.rise_measured = -0.125;
  write_task_record(folder_ / "task.h5", record);
  EXPECT_EQ(read_task_record(folder_ / "task.h5"), record);
  EXPECT_EQ(read_task_summary(folder_ / "task.h5").record.metrics, record.metrics);
}

TEST_F(EvaluationRowsTest, AStateReturnsThemAlsoWhereItsFirstTasksAreOfAnOlderProgram) {
  for (const std::size_t old_tasks : {0, 1, 3}) {
    StateRecord record = sample_state(3);
    record.accuracy = {};
    for (std::size_t t = 0; t < 3; ++t) {
      EvaluationRow after = detailed(t + 1, 15), before = detailed(t + 1, 20);
      if (t < old_tasks) {
        after = {after.samples, after.correct, after.correct_given_task};
        before = {before.samples, before.correct, before.correct_given_task};
      }
      record.accuracy.add_row(after, before);
    }
    const std::filesystem::path path = folder_ / (std::to_string(old_tasks) + ".h5");
    write_state_record(path, record);
    const StateRecord read = read_state_record(path);
    for (std::size_t t = 0; t < 3; ++t) {
      EXPECT_EQ(read.accuracy.row(t), record.accuracy.row(t)) << t << " of " << old_tasks;
      EXPECT_EQ(read.accuracy.row_before_merge(t), record.accuracy.row_before_merge(t));
    }
    EXPECT_EQ(H5File(path, "state").has("/accuracy/after_merge/class_samples"), old_tasks < 3);
  }
}

TEST_F(EvaluationRowsTest, CountsThatDoNotFitAreRefused) {
  TaskRecord record = sample_task(0);
  record.metrics.before_merge = detailed(1, 20);
  record.metrics.after_merge = detailed(1, 15);
  record.metrics.after_merge.class_correct[0] = 4;  // one more than the task has
  write_task_record(folder_ / "task.h5", record);
  EXPECT_THAT([&] { read_task_record(folder_ / "task.h5"); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("16 correct of 50")));
}

}  // namespace
}  // namespace palimpsest
