// What palimpsest inspect shows, as text and as JSON, of runs and files whole, unfinished and
// damaged.
#include "palimpsest/report/views.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/run_folder.h"
#include "support/scored_row.h"

namespace palimpsest {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const char* const kRunJson = R"({"config": {"merge": "closed-form", "epochs": 40}})";

AdaptedLayout layout() { return AdaptedLayout({{.name = "block.0.key", .out = 4, .in = 3}}); }

TaskRecord task_record(std::int64_t index) {
  const auto tasks = static_cast<std::size_t>(index + 1);
  TaskRecord record;
  record.index = index;
  record.name = "task " + std::to_string(tasks);
  record.classes = {"left" + std::to_string(tasks), "right" + std::to_string(tasks)};
  record.train_samples = 1200;
  record.seed = 7;
  record.backbone_name = "tiny";
  record.backbone_sha256 = std::string(64, 'b');
  record.pack_content_sha256 = std::string(64, 'a');
  record.config = R"({"merge": "closed-form", "epochs": 40})";
  LoraFactors lora;
  lora.module = "block.0.key";
  lora.out = 4;
  lora.in = 3;
  lora.rank = 1;
  lora.a = {1, 0, 0};
  lora.b = {3, 4, 0, 0};
  record.lora = {lora};
  record.head = {.classes = 2, .features = 1, .weight = {1, 2}, .bias = {0, 0}};
  record.fisher = FisherRecord{.kind = "empirical-per-sample",
                               .samples = 1200,
                               .transform = "test",
                               .scale = "secant",
                               .factor = 2000,
                               .values = std::vector<float>(12, 0.5f)};
  record.merge.rule = R"({"rule":"closed-form"})";
  record.merge.coefficients = {index == 0 ? 1.0 : 0.125};
  record.merge.alpha_unclamped = index == 0 ? 1.0 : 0.125;
  record.merge.numerator = 0.5;
  record.merge.denominator = 4;
  record.merge.weights_before = std::string(64, '0');
  record.merge.weights_after = std::string(64, '1');
  if (index == 1) record.merge.remark = "The merge keeps little of this task.";
  record.metrics.after_merge = counted(Counts(tasks, 10), Counts(tasks, 5), Counts(tasks, 8));
  record.metrics.before_merge = record.metrics.after_merge;
  score_sums(record.metrics.before_merge, "correct").back() = 9;
  record.metrics.loss_first_step = 1.5;
  record.metrics.seconds_train = 93;
  return record;
}

// Of the first task; with the closed form's terms of each.
TaskRecord record_of_two_modules() {
  TaskRecord record = task_record(0);
  record.lora.push_back(record.lora[0]);
  record.lora[1].module = "block.0.value";
  record.fisher->values.resize(24, 0.25f);
  record.merge.module_numerators = {1, 9};
  record.merge.module_denominators = {4, 8};
  return record;
}

StateRecord state_record(std::int64_t tasks) {
  StateRecord state;
  state.tasks_done = tasks;
  state.layout = layout();
  state.merged.assign(12, 0.5f);
  for (const char* name : {"s0", "s1"}) {
    state.memory.put(concat("curvature/empirical:scale=secant/", name),
                     {.dims = {12}, .values = std::vector<double>(12, 1), .keeper = Keeper::kRoot});
  }
  state.backbone_sha256 = std::string(64, 'b');
  state.pack_content_sha256 = std::string(64, 'a');
  state.config = "{}";
  state.numerics = R"({"threads":1})";
  for (std::int64_t index = 0; index < tasks; ++index) {
    const TaskRecord task = task_record(index);
    put_head(state.memory, index, task.head);
    state.classes.push_back(task.classes);
    state.accuracy.add_row(task.metrics.after_merge, task.metrics.before_merge);
  }
  return state;
}

class Views : public testing::Test {
 protected:
  Views() : run_(testing::TempDir() + "palimpsest_run_" + std::to_string(getpid())) {}
  ~Views() override { std::filesystem::remove_all(run_.path()); }

  void make_run(std::int64_t tasks) const {
    run_.create(kRunJson);
    for (std::int64_t index = 0; index < tasks; ++index) {
      run_.commit(task_record(index), state_record(index + 1));
    }
  }

  std::string refusal(const std::filesystem::path& path) const {
    try {
      make_view(path);
    } catch (const InputError& error) {
      return error.what();
    }
    ADD_FAILURE() << "was shown: " << path;
    return "";
  }

  RunFolder run_;
};

TEST_F(Views, RunShowsItsTasksMergesAndSummary) {
  make_run(2);
  const View view = make_view(run_.path());
  EXPECT_THAT(view.text, AllOf(HasSubstr("2 tasks done"), HasSubstr("merge closed-form; epochs 40"),
                               HasSubstr("tiny bbbbbbbbbbbb"), HasSubstr("task 2: left2, right2"),
                               HasSubstr("The merge keeps little of this task.")));
  EXPECT_THAT(view.text, HasSubstr("   2        2    1,200  0.125      0.125   2.0e+03    5.000  "
                                   "90.0 -> 50.0  70.0 -> 50.0  1:33\n"));
  EXPECT_THAT(view.text, HasSubstr("    2  50.0  50.0  50.0  0.125\n"));
  const json data = json::parse(view.json);
  EXPECT_EQ(data["tasks_done"], 2);
  EXPECT_EQ(data["config"]["epochs"], 40);
  EXPECT_EQ(data["alphas"], json({1.0, 0.125}));
  EXPECT_EQ(data["summary"]["last"], 0.5);
  EXPECT_EQ(data["summary"]["plasticity_before_merge"], 0.9);
  EXPECT_EQ(data["tasks"][1]["merge"]["remark"], "The merge keeps little of this task.");
}

TEST_F(Views, ManifestMeansItsRun) {
  make_run(1);
  EXPECT_EQ(make_view(run_.path() / "manifest.json").json, make_view(run_.path()).json);
}

TEST_F(Views, RunThatHasJustBegunShowsWhatIsSet) {
  make_run(0);
  const View view = make_view(run_.path());
  EXPECT_THAT(view.text, AllOf(HasSubstr("0 tasks done"), HasSubstr("epochs 40"),
                               HasSubstr("No task is finished yet.")));
  EXPECT_EQ(json::parse(view.json)["tasks"], json::array());
}

TEST_F(Views, RunIgnoresRecordsThatTheManifestDoesNotNameYet) {
  make_run(1);
  std::ofstream(run_.task_file(1)) << "half written";
  EXPECT_EQ(json::parse(make_view(run_.path()).json)["tasks_done"], 1);
}

TEST_F(Views, RunWithoutCoefficientsShowsNoAlphas) {
  run_.create(kRunJson);
  TaskRecord record = task_record(0);
  record.merge.coefficients.clear();
  record.merge.alpha_unclamped.reset();
  run_.commit(record, state_record(1));
  EXPECT_THAT(make_view(run_.path()).text, Not(HasSubstr("all  alpha")));
  EXPECT_EQ(json::parse(make_view(run_.path()).json)["alphas"], json::array());
}

TEST_F(Views, TaskRecordShowsModulesMergeAndAccuracy) {
  make_run(2);
  const View view = make_view(run_.task_file(1));
  EXPECT_THAT(view.text,
              AllOf(HasSubstr("task 2 (task 2): 2 classes, 1,200 training samples, seed 7"),
                    HasSubstr("alpha 0.125000, before the clamp 0.125000 = 5.000000e-01 / 4.0"),
                    HasSubstr("over 1,200 samples, transform test, scale secant, factor 2.000e+03"),
                    HasSubstr("block.0.key  4 x 3     1  1.000  5.000   5.0000     6.00e+00\n")));
  EXPECT_THAT(view.text, HasSubstr("   2       10   90.0 -> 50.0    80.0 -> 80.0\n"));
  const json data = json::parse(view.json);
  EXPECT_EQ(data["type"], "task");
  EXPECT_EQ(data["stats"]["modules"], json({"block.0.key"}));
  EXPECT_EQ(data["stats"]["norm_delta"], json({5.0}));
  EXPECT_EQ(data["task"]["index"], 1);
  EXPECT_EQ(data["fisher"]["factor"], 2000);
  EXPECT_EQ(data["merge"]["rule"]["rule"], "closed-form");
  EXPECT_TRUE(data["alpha_standard_error"].is_null());  // of no terms by module
}

// --evaluate-before-merge false, then --evaluate last.
TEST_F(Views, TaskRecordShowsNoNumbersOfTasksThatWereNotTested) {
  make_run(1);
  TaskRecord record = task_record(1);
  record.metrics.before_merge = counted({0, 10}, {0, 9}, {0, 8});
  run_.commit(record, state_record(2));
  EXPECT_THAT(make_view(run_.task_file(1)).text,
              AllOf(HasSubstr("   1       10           50.0            80.0\n"),
                    HasSubstr("   2       10   90.0 -> 50.0    80.0 -> 80.0\n"),
                    HasSubstr(" all                    50.0            80.0\n")));
  std::filesystem::remove_all(run_.path());
  make_run(1);
  record.metrics.after_merge = counted({0, 10}, {0, 5}, {0, 8});
  run_.commit(record, state_record(2));
  EXPECT_THAT(make_view(run_.task_file(1)).text,
              AllOf(HasSubstr("   1        0              -               -\n"),
                    HasSubstr(" all                       -               -\n")));
}

// N = 1, 9 and D = 4, 8: alpha = 10 / 12, N - alpha D = -7/3, 7/3; sqrt(2 * 2 * 49/9) / 12 = 7/18.
TEST_F(Views, TaskRecordShowsTheStandardErrorOfAnAlphaOverModules) {
  run_.create(kRunJson);
  TaskRecord record = record_of_two_modules();
  record.merge.coefficients = {10.0 / 12};
  record.merge.alpha_unclamped = 10.0 / 12;
  run_.commit(record, state_record(1));
  const View view = make_view(run_.task_file(0));
  EXPECT_THAT(view.text, HasSubstr(", standard error over modules 0.388889 = "));
  EXPECT_NEAR(json::parse(view.json)["alpha_standard_error"], 7.0 / 18, 1e-12);
}

// A score that the table of metrics doesn't know, by tokens.
TEST_F(Views, AScoreThatNobodyKnowsIsShownByItsOwnName) {
  run_.create(kRunJson);
  TaskRecord record = task_record(0);
  StateRecord state = state_record(1);
  EvaluationRow& before = record.metrics.before_merge;
  EvaluationRow& after = record.metrics.after_merge;
  before.scores.push_back({.name = "token_score", .sums = {30}, .weights = {120}});
  after.scores.push_back({.name = "token_score", .sums = {7.5}, .weights = {120}});
  state.accuracy = {};
  state.accuracy.add_row(after, before);
  run_.commit(record, state);
  const View task = make_view(run_.task_file(0));
  EXPECT_THAT(task.text, HasSubstr("given the task     token_score\n"));
  EXPECT_THAT(task.text, HasSubstr("80.0 -> 80.0  0.250 -> 0.062\n"));
  const json metrics = json::parse(task.json)["metrics"];
  EXPECT_EQ(metrics["before_merge"]["token_score"].dump(), "[30]");
  EXPECT_EQ(metrics["after_merge"]["token_score"].dump(), "[7.5]");
  EXPECT_EQ(metrics["after_merge"]["weights"].dump(), R"({"token_score":[120]})");
  for (const std::filesystem::path& path : {run_.path(), run_.state_file(0)})
    EXPECT_THAT(make_view(path).text, HasSubstr("token_score                  0.0625  ")) << path;
  const json summary = json::parse(make_view(run_.path()).json)["summary"];
  EXPECT_EQ(summary["last_token_score"], 0.0625);
  EXPECT_EQ(summary["last_token_score_before_merge"], 0.25);

  const EvaluationTitle title{.weights = "w",
                              .pack = "p",
                              .split = "test",
                              .task_names = {"one"},
                              .classes = {{"a", "b"}},
                              .classifiers = {"local"},
                              .remarks = {}};
  const View evaluation = evaluation_view(title, {&after, 1});
  EXPECT_THAT(evaluation.text, HasSubstr("given the task  token_score\n"));
  EXPECT_EQ(json::parse(evaluation.json)["all"]["token_score"], 0.0625);
  EXPECT_EQ(json::parse(evaluation.json)["tasks"][0]["classes"],
            json::array());  // nothing was counted
  Sweep sweep;
  sweep.points = {{0, before}, {1, after}};
  EXPECT_EQ(sweep_csv(sweep),
            "alpha,accuracy,accuracy_given_task,token_score,new_accuracy,new_accuracy_given_task,"
            "new_token_score,own,best\n"
            "0.0,0.9,0.8,0.25,0.9,0.8,0.25,0,1\n1.0,0.5,0.8,0.0625,0.5,0.8,0.0625,0,0\n");
}

TEST_F(Views, TaskRecordShowsOneAlphaForEachModule) {
  run_.create(kRunJson);
  TaskRecord record = record_of_two_modules();
  record.merge.coefficients = {0.25, 0.75};
  record.merge.alpha_unclamped.reset();
  run_.commit(record, state_record(1));
  EXPECT_THAT(make_view(run_.task_file(0)).text,
              AllOf(HasSubstr("alpha 0.500000 in the mean of 2, from 0.250000 to 0.750000 = 5.0"),
                    HasSubstr("own alpha  alpha\n"), HasSubstr("0.250  0.250\n"),
                    HasSubstr("1.125  0.750\n"), HasSubstr("of the module alone\n")));
  EXPECT_EQ(json::parse(make_view(run_.path()).json)["alphas"], json({0.5}));
}

TEST_F(Views, AStepSaysHowFarTheTaskIs) {
  run_.create(kRunJson);
  const TaskRecord task = task_record(0);
  StepRecord step;
  step.progress.steps_done = 1234;
  step.progress.updates = 1230;
  step.progress.steps = 2000;
  step.progress.parameters = {task.lora, task.head};
  step.progress.first_moment = step.progress.second_moment = step.progress.parameters;
  step.progress.seconds = 61;
  step.backbone_sha256 = std::string(64, 'b');
  step.pack_content_sha256 = std::string(64, 'a');
  step.config = "{}";
  step.numerics = R"({"threads":1})";
  run_.commit_step(step, {{"metrics.jsonl", 0}});
  const View view = make_view(run_.path() / "step-0000-00001234.h5");
  EXPECT_THAT(view.text,
              AllOf(HasSubstr("task 1 after step 1,234 of 2,000"),
                    HasSubstr("4 steps skipped; trained for 1:01"), HasSubstr("the first task")));
  EXPECT_EQ(json::parse(view.json)["step"]["steps_done"], 1234);
  EXPECT_THAT(make_view(run_.path()).text, HasSubstr("No task is finished yet"));
}

TEST_F(Views, StateShowsTasksLayoutAndAccuracy) {
  make_run(2);
  const View view = make_view(run_.state_file(1));
  EXPECT_THAT(view.text,
              AllOf(HasSubstr("state after 2 tasks"),
                    HasSubstr("12 adapted weights, |theta_hat - theta_hat_0| = 1.7321"),
                    HasSubstr("curvature/empirical:scale=secant/s0  [12]    float64  96 B  root"),
                    HasSubstr("block.0.key  4 x 3       0"), HasSubstr("left2, right2"),
                    HasSubstr("last accuracy")));
  EXPECT_EQ(json::parse(view.json)["classes"], json({"left1", "right1", "left2", "right2"}));
  EXPECT_EQ(json::parse(view.json)["class_counts"], json({2, 2}));
}

TEST_F(Views, RefusesWhatIsNotThereOrNoRun) {
  EXPECT_THAT(refusal(run_.path()), AllOf(HasSubstr(run_.path()), HasSubstr("nothing there")));
  std::filesystem::create_directories(run_.path());
  EXPECT_THAT(refusal(run_.path()), HasSubstr("manifest.json or run.json"));
}

TEST_F(Views, RefusesARecordInThePlaceOfAnother) {
  make_run(2);
  std::filesystem::copy_file(run_.task_file(1), run_.task_file(0),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(refusal(run_.path()),
              AllOf(HasSubstr("task-0000.h5"), HasSubstr("expected task 1, found task 2")));
}

TEST_F(Views, RefusesDamagedRecords) {
  make_run(1);
  std::filesystem::resize_file(run_.task_file(0), 500);
  EXPECT_THAT(refusal(run_.task_file(0)), HasSubstr("task-0000.h5"));
  EXPECT_THAT(refusal(run_.path()), HasSubstr("task-0000.h5"));
  std::ofstream(run_.path() / "manifest.json") << "{";
  EXPECT_THAT(refusal(run_.path()), HasSubstr("manifest.json"));
}

}  // namespace
}  // namespace palimpsest
