// metrics.jsonl: one object per event, appended, flushed, and never lost in silence.
#include "palimpsest/report/json_lines.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "support/scored_row.h"

namespace palimpsest {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class JsonLines : public testing::Test {
 protected:
  JsonLines() : path_(testing::TempDir() + "palimpsest_" + std::to_string(getpid()) + ".jsonl") {}
  ~JsonLines() override { std::filesystem::remove(path_); }

  std::vector<json> lines() const {
    std::vector<json> parsed;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) parsed.push_back(json::parse(line));
    return parsed;
  }

  std::filesystem::path path_;
};

TEST_F(JsonLines, EveryEventIsOneObjectWithItsFields) {
  JsonLinesReport report(path_);
  RunStarted started;
  started.world_size = 2;
  report.on(started);
  report.on(TaskStarted{.task = 0, .classes = {"admin", "net"}, .samples = 360, .steps = 900});
  report.on(StepDone{.task = 0, .step = 3, .loss = 1.5, .scale = 0.5, .samples = 16});
  report.on(TaskTrained{.task = 0, .loss_first_step = 1.8, .loss_last_pass = 0.1});
  Merged merged;
  merged.alpha_unclamped = 0.25;
  merged.alpha_range = {0.125, 0.5};
  report.on(merged);
  EvaluationRow row = counted({50, 0}, {40, 0}, {45, 0});
  row.add("loss_given_task", {3, 0});
  row.scores.push_back({.name = "token_score", .sums = {2.5, 0}, .weights = {700, 0}});
  report.on(Evaluated{.task = 0, .after_merge = true, .row = row});
  report.on(Remark{.task = 0, .text = "lambda is 0.1"});
  report.on(TaskSaved{.task = 0, .file = "tasks/task-0000.h5"});
  report.on(RunFinished{.seconds = 9});
  report.close();

  const std::vector<json> all = lines();
  ASSERT_EQ(all.size(), 9u);
  std::vector<std::string> events;
  for (const json& line : all) {
    events.push_back(line["event"]);
    EXPECT_GT(line["time"], 1.7e9);
  }
  EXPECT_THAT(events,
              testing::ElementsAre("run_started", "task_started", "step", "task_trained", "merged",
                                   "evaluated", "remark", "task_saved", "run_finished"));
  EXPECT_EQ(all[6]["text"], "lambda is 0.1");
  EXPECT_EQ(all[0]["world_size"], 2);
  EXPECT_EQ(all[1]["classes"], json({"admin", "net"}));
  EXPECT_EQ(all[2]["loss"], 1.5);
  EXPECT_EQ(all[2]["scale"], 0.5);
  EXPECT_EQ(all[4]["alpha_unclamped"], 0.25);
  EXPECT_EQ(all[4]["alpha_range"], json::array({0.125, 0.5}));
  EXPECT_TRUE(all[4]["numerator"].is_null());
  EXPECT_EQ(all[5]["correct"], json::array({40, nullptr}));  // the second task was not tested
  EXPECT_EQ(all[5]["correct"].dump(), "[40,null]");          // and counts are whole numbers
  EXPECT_EQ(all[5]["correct_given_task"], json::array({45, nullptr}));
  EXPECT_EQ(all[5]["loss_given_task"].dump(), "[3.0,null]");
  EXPECT_EQ(all[5]["token_score"], json::array({2.5, nullptr}));
  EXPECT_EQ(all[5]["weights"], json({{"token_score", {700, nullptr}}}));
  EXPECT_EQ(all[8]["seconds"], 9);
}

TEST_F(JsonLines, AppendsToWhatIsThere) {
  JsonLinesReport(path_).on(RunFinished{.seconds = 1});
  JsonLinesReport(path_).on(RunFinished{.seconds = 2});
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(JsonLines, StepsReachTheFileWithTheNextOtherEvent) {
  JsonLinesReport report(path_);
  report.on(StepDone{.step = 0});
  EXPECT_EQ(lines().size(), 0u);
  report.on(TaskTrained{});
  EXPECT_EQ(lines().size(), 2u);
}

TEST_F(JsonLines, WritesNullForWhatIsNotFinite) {
  JsonLinesReport(path_).on(StepDone{.loss = std::numeric_limits<double>::quiet_NaN()});
  EXPECT_TRUE(lines().at(0)["loss"].is_null());
}

TEST_F(JsonLines, ThrowsWhenTheFolderIsMissing) {
  try {
    JsonLinesReport(path_ / "missing" / "metrics.jsonl");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("metrics.jsonl could not be opened"));
    EXPECT_EQ(error.code(), ExitCode::kFailed);
  }
}

TEST_F(JsonLines, ThrowsWhenTheDiskIsFull) {
  JsonLinesReport report("/dev/full");
  report.on(StepDone{});
  try {
    report.on(TaskSaved{});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/dev/full could not be written"));
  }
}

TEST_F(JsonLines, ClosingReportsAFullDiskToo) {
  JsonLinesReport report("/dev/full");
  report.on(StepDone{});
  EXPECT_THROW(report.close(), Error);
}

TEST_F(JsonLines, RefusesEventsAfterClosing) {
  JsonLinesReport report(path_);
  report.close();
  EXPECT_THROW(report.on(RunFinished{}), Error);
}

}  // namespace
}  // namespace palimpsest
