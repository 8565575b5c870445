// Scores and counts by class, in task and state records.
#include <gmock/gmock.h>

#include "../../src/format/h5.h"
#include "fixtures.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/records.h"
#include "palimpsest/format/verify.h"
#include "support/scored_row.h"

namespace palimpsest {
namespace {

class EvaluationRowsTest : public FolderTest {};

// Tasks of two classes, 50 samples each; `correct` of them right.
EvaluationRow detailed(std::size_t tasks, std::int64_t correct) {
  const auto each = [&](double sum) { return std::vector<double>(tasks, sum); };
  const auto right = static_cast<double>(correct);
  EvaluationRow row = scored(Counts(tasks, 50), {{"correct", each(right)},
                                                 {"correct_given_task", each(right + 1)},
                                                 {"correct_top5", each(50)},
                                                 {"correct_task", each(right + 2)},
                                                 {"loss_given_task", each(12)}});
  for (std::size_t j = 0; j < tasks; ++j) {
    row.class_samples.insert(row.class_samples.end(), {20, 30});
    row.class_correct.insert(row.class_correct.end(), {3, correct - 3});
  }
  return row;
}

// A score that the table of metrics doesn't know, by tokens; fractions where the others are counts.
EvaluationRow with_unknown(EvaluationRow row, double sum) {
  const std::size_t tasks = row.samples.size();
  row.scores.push_back({.name = "token_score",
                        .sums = std::vector<double>(tasks, sum),
                        .weights = std::vector<double>(tasks, 700)});
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
        for (EvaluationRow* row : {&after, &before}) {
          row->scores.resize(2);
          row->class_samples.clear();
          row->class_correct.clear();
        }
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

TEST_F(EvaluationRowsTest, AScoreThatNobodyKnowsIsWrittenAndReadInTaskAndState) {
  TaskRecord task = sample_task(1);
  task.metrics.before_merge = with_unknown(detailed(2, 20), 3.5);
  task.metrics.after_merge = with_unknown(detailed(2, 15), -7.25);
  write_task_record(folder_ / "task.h5", task);
  EXPECT_EQ(read_task_record(folder_ / "task.h5"), task);
  StateRecord state = sample_state(3);
  state.accuracy = {};
  state.accuracy.add_row(detailed(1, 15), detailed(1, 20));
  state.accuracy.add_row(with_unknown(detailed(2, 15), 3.5), with_unknown(detailed(2, 20), 2));
  state.accuracy.add_row(with_unknown(detailed(3, 15), 4), detailed(3, 20));
  write_state_record(folder_ / "state.h5", state);
  const StateRecord read = read_state_record(folder_ / "state.h5");
  for (std::size_t t = 0; t < 3; ++t) {
    EXPECT_EQ(read.accuracy.row(t), state.accuracy.row(t)) << t;
    EXPECT_EQ(read.accuracy.row_before_merge(t), state.accuracy.row_before_merge(t)) << t;
  }
  for (const char* name : {"task.h5", "state.h5"})
    EXPECT_THAT(verify(folder_ / name).problems, testing::IsEmpty()) << name;
  const H5File file(folder_ / "task.h5", "task");
  EXPECT_EQ(file.open("/metrics/after_merge/correct").type, "i8");
  EXPECT_EQ(file.open("/metrics/after_merge/loss_given_task").type, "f8");  // whole as it is
  EXPECT_EQ(file.open("/metrics/after_merge/token_score").type, "f8");
  EXPECT_EQ(file.children("/metrics/after_merge/weights"), std::vector<std::string>{"token_score"});
}

TEST_F(EvaluationRowsTest, ARowMayHaveNoCountsByClassAndAnotherPrimaryScore) {
  TaskRecord task = sample_task(0);
  task.metrics.before_merge = task.metrics.after_merge =
      scored({50}, {{"bleu", {12}}, {"correct", {30}}, {"a_score", {0.5}}});
  write_task_record(folder_ / "task.h5", task);
  EXPECT_EQ(read_task_record(folder_ / "task.h5"), task);
}

// As versions 1.x would have written it: heads by task, no names of scores.
void make_version_1(const std::filesystem::path& path) {
  change_hdf5(path, [](hid_t file) {
    replace_text_attribute(file, "/", "palimpsest_version", "1.2.0");
    const H5Handle heads(H5Gcreate2(file, "/heads", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    const H5Handle curvature(H5Gcreate2(file, "/curvature", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    const H5Handle type(H5Tcopy(H5T_C_S1));
    H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    const H5Handle scalar(H5Screate(H5S_SCALAR));
    for (const char* name : {"kind", "scale"})
      H5Handle(
          H5Acreate2(curvature.get(), name, type.get(), scalar.get(), H5P_DEFAULT, H5P_DEFAULT));
    for (const int task : {0, 1, 2}) {
      const std::string head = concat("/heads/", task),
                        instance = task == 0 ? "cosine:scale=16.5" : "linear";
      H5Lmove(file, concat("/memory/head/", instance, '/', task).c_str(), file, head.c_str(),
              H5P_DEFAULT, H5P_DEFAULT);
      replace_dataset(file, (head + "/classes").c_str(), type.get(), {2});
    }
    for (const char* group : {"/accuracy/before_merge", "/accuracy/after_merge"}) {
      for (const char* names : {"/scores", "/weights"})
        if (H5Lexists(file, concat(group, names).c_str(), H5P_DEFAULT) > 0)
          H5Ldelete(file, concat(group, names).c_str(), H5P_DEFAULT);
    }
  });
}

TEST_F(EvaluationRowsTest, TheScoresOfAFileWithoutNamesAreThoseOfVersion1) {
  StateRecord state = sample_state(3);
  state.accuracy = {};
  for (std::size_t t = 0; t < 3; ++t) {
    EvaluationRow row = detailed(t + 1, 15);
    if (t == 0) row = counted(row.samples, {15}, {16});
    state.accuracy.add_row(row, row);
  }
  write_state_record(folder_ / "state.h5", state);
  make_version_1(folder_ / "state.h5");
  const AccuracyMatrix read = read_state_heads(folder_ / "state.h5").accuracy;
  for (std::size_t t = 0; t < 3; ++t) EXPECT_EQ(read.row(t), state.accuracy.row(t)) << t;
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
