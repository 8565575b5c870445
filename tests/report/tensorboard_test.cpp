// Events continue where they ended. tests/app/test_tensorboard.py reads them back with TensorBoard
// itself.
#include "palimpsest/report/tensorboard.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "palimpsest/core/error.h"
#include "palimpsest/format/event_file.h"
#include "support/scored_row.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;
using testing::Not;

class TensorBoard : public testing::Test {
 protected:
  TensorBoard()
      : folder_(testing::TempDir() + "palimpsest_events_" + std::to_string(getpid())),
        events_(folder_ / "events") {
    std::filesystem::create_directories(folder_);
  }
  ~TensorBoard() override { std::filesystem::remove_all(folder_); }

  std::size_t records() const { return record_ends(events_).size(); }
  static std::string read_text(const std::filesystem::path& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }

  std::filesystem::path folder_, events_;
};

Evaluated evaluated(int task, bool after_merge, std::vector<std::int64_t> correct) {
  const std::vector<std::int64_t> samples(correct.size(), 10);
  return {.task = task, .after_merge = after_merge, .row = counted(samples, correct, samples)};
}

TEST_F(TensorBoard, ARecordForEachStepAndEachNumberOfATask) {
  TensorBoardReport report(events_, {});
  EXPECT_EQ(records(), 1u);  // the version
  RunStarted started;
  started.tasks = 10;
  report.on(started);
  report.on(TaskStarted{});
  report.on(StepDone{.task = 0, .step = 0, .loss = 1.5});
  report.on(StepDone{.task = 0, .step = 1, .loss = 1.25});
  report.on(CheckpointTaken{});
  EXPECT_EQ(records(), 3u);
  report.on(Merged());
  report.on(evaluated(0, false, {9}));
  report.on(evaluated(0, true, {8}));
  EXPECT_EQ(records(), 7u);  // alpha, before, the two after, one task
  EXPECT_THAT(read_text(events_), HasSubstr("tasks/01"));
  EXPECT_THAT(read_text(events_), Not(HasSubstr("stream/forgetting")));  // of a single task
}

TEST_F(TensorBoard, AnotherClassifierHasCurvesUnderItsName) {
  AccuracyMatrix so_far;
  so_far.add_row(counted({10}, {9}, {10}), counted({10}, {10}, {10}));
  const std::vector<OtherAccuracy> others = {{"ridge", so_far}};
  TensorBoardReport report(events_, so_far, others);
  RunStarted started;
  started.tasks = 2;
  report.on(started);
  for (const bool after_merge : {false, true}) {
    report.on(evaluated(1, after_merge, {8, 7}));
    Evaluated other = evaluated(1, after_merge, {9, 9});
    other.classifier = "ridge";
    other.is_own = false;
    report.on(other);
  }
  for (const char* const tag : {"stream/forgetting", "ridge/forgetting", "ridge/accuracy_newest",
                                "ridge/task_2", "tasks/2"})
    EXPECT_THAT(read_text(events_), HasSubstr(tag));
}

TEST_F(TensorBoard, ContinuesAfterTheLastWholeRecord) {
  {
    TensorBoardReport report(events_, {});
    report.on(StepDone{.loss = 1.5});
  }
  const std::string two = read_text(events_);
  std::ofstream(events_, std::ios::app) << event_record("a third").substr(0, 12);
  TensorBoardReport report(events_, {});
  EXPECT_EQ(read_text(events_), two);  // and no second version
  report.on(StepDone{.loss = 1.5});
  report.close();
  EXPECT_EQ(records(), 3u);
}

TEST_F(TensorBoard, ForgettingCountsTheTasksBeforeAResume) {
  AccuracyMatrix so_far;
  so_far.add_row(counted({10}, {9}, {9}), counted({10}, {9}, {9}));
  TensorBoardReport report(events_, so_far);
  report.on(evaluated(1, false, {6, 9}));
  report.on(evaluated(1, true, {7, 8}));
  report.close();
  const std::string events = read_text(events_);
  const float forgetting = 0.9f - 0.7f;
  const std::size_t at = events.find("stream/forgetting");
  ASSERT_NE(at, std::string::npos);
  float found = 0;
  events.copy(reinterpret_cast<char*>(&found), 4, at + sizeof("stream/forgetting"));
  EXPECT_FLOAT_EQ(found, forgetting);
}

TEST_F(TensorBoard, WhatCannotBeWrittenIsSaid) {
  EXPECT_THROW(TensorBoardReport(folder_ / "no" / "folder", {}), Error);
}

}  // namespace
}  // namespace palimpsest
