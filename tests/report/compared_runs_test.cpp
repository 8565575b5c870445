// Runs beside others, where a task is given with its samples or can't be tested any more.
#include <gmock/gmock.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/report/views.h"
#include "support/scored_row.h"

namespace palimpsest {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

// By task: of 10 samples each, or of none.
struct Row {
  std::vector<std::int64_t> correct, given;
  std::vector<std::int64_t> samples = std::vector<std::int64_t>(correct.size(), 10);
};

EvaluationRow evaluated(const Row& row) {
  std::vector<double> losses = sums(row.samples);
  for (double& loss : losses) loss /= 2;
  return scored(row.samples,
                {{"correct", sums(row.correct)},
                 {"correct_given_task", sums(row.given)},
                 {"loss_given_task", losses}},
                {row.samples, row.correct});
}

class ComparedRuns : public testing::Test {
 protected:
  ComparedRuns() : folder_(testing::TempDir() + concat("palimpsest_compared_", getpid())) {}
  ~ComparedRuns() override { std::filesystem::remove_all(folder_); }

  // A task of one class for each row.
  std::filesystem::path make_run(const std::string& name, const std::vector<Row>& rows,
                                 const std::string& scenario = "class-incremental",
                                 const std::string& adapter = "lora") const {
    const RunFolder run(folder_ / name);
    run.create("{}");
    StateRecord state;
    for (const Row& row : rows) {
      TaskRecord record;
      record.index = state.tasks_done++;
      record.name = concat(name, " ", state.tasks_done);
      record.classes = {concat("class ", state.tasks_done)};
      record.config = json({{"scenario", scenario}, {"adapter", adapter}, {"out", name}}).dump();
      record.head = {.classes = 1, .features = 1, .weight = {1}, .bias = {0}};
      record.merge.rule = R"({"name": "none"})";
      record.metrics.after_merge = record.metrics.before_merge = evaluated(row);
      put_head(state.memory, record.index, record.head);
      state.classes.push_back(record.classes);
      state.accuracy.add_row(record.metrics.after_merge, record.metrics.before_merge);
      run.commit(record, state);
    }
    return run.path();
  }

  std::filesystem::path folder_;
};

json decomposed(const std::filesystem::path& run, const std::filesystem::path& frozen = {},
                const std::filesystem::path& joint = {}) {
  return json::parse(decomposition_view(run, frozen, joint).json);
}

json repeated(const std::vector<std::filesystem::path>& runs) {
  return json::parse(repetitions_view(runs).json)["metrics"];
}

TEST_F(ComparedRuns, ATaskThatIsNotTestedAnyMoreHasNoNumbers) {
  const Row first{.correct = {8}, .given = {9}};
  const auto run = make_run("continued", {first, {{0, 6}, {0, 8}, {0, 10}}});
  const auto frozen = make_run("frozen", {first, {{2, 2}, {2, 2}}}, "class-incremental", "none");
  const auto joint = make_run("joint", {first, {{9, 7}, {9, 9}}});
  const json tasks = decomposed(run, frozen, joint)["tasks"];
  for (const char* const name : {"accuracy", "given_task", "task_confusion", "placed"}) {
    EXPECT_TRUE(tasks[0][name].is_null()) << name;
    EXPECT_FALSE(tasks[1][name].is_null()) << name;
  }
  EXPECT_EQ(tasks[0]["joint"], 0.9);
  EXPECT_EQ(tasks[0]["plasticity"], 0.8);
  EXPECT_THAT(decomposition_view(run, frozen, joint).text,
              HasSubstr("   1    20.0         -   90.0       -               -          -  80.0 "));
  EXPECT_THAT([&] { decomposed(run, joint); },
              testing::ThrowsMessage<InputError>(HasSubstr("a run with --adapter none")));
  // As a bound, it lacks the first task.
  EXPECT_THAT(
      [&] { decomposed(frozen, {}, run); },
      testing::ThrowsMessage<InputError>(AllOf(HasSubstr(run), HasSubstr("tested on task 1 too"))));
}

TEST_F(ComparedRuns, RepetitionsOfContinuedRunsAreOverWhatWasTested) {
  const Row first{.correct = {8}, .given = {9}};
  const Row second{{0, 6}, {0, 8}, {0, 10}};
  const auto a = make_run("a", {first, second, {{0, 5, 9}, {0, 7, 9}, {0, 10, 10}}});
  const auto b = make_run("b", {first, second, {{0, 7, 9}, {0, 7, 9}, {0, 10, 10}}});
  const json metrics = repeated({a, b});
  EXPECT_DOUBLE_EQ(metrics["last"]["mean"], (0.7 + 0.8) / 2);
  EXPECT_NEAR(metrics["forgetting"]["mean"], 0, 1e-15);
  EXPECT_FALSE(metrics.contains("average_anytime"));  // after the second task no earlier one was
  const auto text_of = [](const std::vector<std::filesystem::path>& runs) {
    return repetitions_view(runs).text;
  };
  EXPECT_THAT(text_of({a, b}), HasSubstr("In 2 of 2 runs some tasks were not tested"));
  const auto whole = make_run("whole", {first, {{5, 6}, {7, 8}}, {{5, 5, 9}, {7, 7, 9}}});
  EXPECT_THAT(text_of({whole, a}), HasSubstr("In 1 of 2 runs"));
  EXPECT_THAT(text_of({whole, whole}), testing::Not(HasSubstr("not tested")));
}

TEST_F(ComparedRuns, TaskIncrementalRunsAreMeasuredGivenTheTask) {
  const std::vector<Row> rows = {{{8}, {9}}, {{2, 6}, {7, 8}}};
  const auto run = make_run("given", rows, "task-incremental");
  // The same numbers as of the run alone.
  const json summary = json::parse(make_view(run).json)["summary"];
  const json metrics = repeated({run, run});
  EXPECT_EQ(metrics["last"]["mean"], 0.75);
  EXPECT_DOUBLE_EQ(metrics["forgetting"]["mean"], 0.9 - 0.7);
  for (const auto& [name, value] : metrics.items()) EXPECT_EQ(value["mean"], summary[name]) << name;

  const auto frozen =
      make_run("frozen", {{{1}, {5}}, {{1, 1}, {5, 5}}}, "class-incremental", "none");
  const auto joint = make_run("joint", {{{9}, {9}}, {{9, 9}, {10, 10}}});
  const json bounded = decomposed(run, frozen, joint);
  EXPECT_EQ(bounded["task_given"], true);
  EXPECT_EQ(bounded["tasks"][0]["accuracy"], 0.7);
  EXPECT_EQ(bounded["tasks"][0]["task_confusion"], 0);
  EXPECT_EQ(bounded["tasks"][0]["frozen"], 0.5);
  EXPECT_DOUBLE_EQ(bounded["tasks"][0]["placed"], (0.7 - 0.5) / (1 - 0.5));
  EXPECT_DOUBLE_EQ(bounded["intransigence"], ((1 - 0.9) + (1 - 0.8)) / 2);
  EXPECT_THAT(decomposition_view(run, {}, {}).text, HasSubstr("every accuracy is given the"));
  EXPECT_EQ(decomposed(make_run("among all", rows))["tasks"][0]["accuracy"], 0.2);
  // Counts by class say nothing of accuracy given the task.
  EXPECT_THAT([&] { decomposed(run, {}, make_run("one task", {rows[0]})); },
              testing::ThrowsMessage<InputError>(HasSubstr("expected a run of the same tasks")));
}

}  // namespace
}  // namespace palimpsest
