// A run's page says what its records say.
#include "palimpsest/report/run_page.h"

#include <gmock/gmock.h>

#include "palimpsest/core/error.h"
#include "small_run.h"
#include "support/rewrite_task.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using RunPage = RunsTest;

const KnownSettings kKnown{
    .all =
        R"({"pack":"","out":"runs/run","device":"auto:threads=1","seed":1,"epochs":10,"lr":0.001,)"
        R"("schedule":"cosine","curvature":"empirical:scale=secant"})",
    .recorded = R"({"seed":1,"epochs":10,"lr":0.001,"schedule":"cosine",)"
                R"("curvature":"empirical:scale=secant"})"};

TEST_F(RunPage, SaysWhatWasReachedAndLost) {
  const std::string page = run_page(make("one", {}), kKnown);
  // After task 2: 6 and 7 of 10 right; 9 before; each given its task.
  EXPECT_THAT(page, AllOf(HasSubstr("<b>65.0 %</b><span>last accuracy"),
                          HasSubstr("<b>77.5 %</b><span>average anytime accuracy"),
                          HasSubstr("<b>30.0 points</b><span>forgetting")));
  EXPECT_THAT(page, HasSubstr("<title>after 2, on task 1: 60.0 %</title>"));
  EXPECT_THAT(page, HasSubstr("<title>its own merge, task 2: 10.0</title>"));
  EXPECT_THAT(page, HasSubstr("<title>the tasks after it, task 1: 30.0</title>"));
  EXPECT_THAT(page, HasSubstr("<title>task 2, taken for a class of another task: 30.0</title>"));
  EXPECT_THAT(page, HasSubstr("error budget was not measured"));
}

TEST_F(RunPage, ShowsTheErrorBudgetWhereItWasMeasured) {
  SmallRun run;
  const RunFolder folder(make("one", {.correct = {{9}}}));
  TaskRecord record = make_task(run, 0);
  record.metrics.rise_predicted = 0.125;
  record.metrics.rise_measured = 0.25;
  rewrite_task(folder, record);
  EXPECT_THAT(run_page(folder.path(), kKnown),
              AllOf(HasSubstr("<title>measured, task 1: 0.25</title>"),
                    HasSubstr("<td class=\"r\">0.125</td><td class=\"r\">0.25</td><td "
                              "class=\"r\">2</td>")));
}

TEST_F(RunPage, NamesAreTextAndTheCommandIsQuoted) {
  SmallRun run;
  run.classes[0][0] = "<script>alert(\"1\")</script> & 'co' naïve";
  const std::string page = run_page(make("<i>one", run), kKnown);
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(
      page,
      HasSubstr("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;co&#39; naïve"));
  EXPECT_THAT(page, HasSubstr("<h1>&lt;i&gt;one</h1>"));
  EXPECT_THAT(page, HasSubstr("launch/mpirun.sh -n 2 palimpsest train"));
  EXPECT_THAT(page, HasSubstr("--pack &#39;data/it&#39;\\&#39;&#39;s.h5&#39;"));
  EXPECT_THAT(page, HasSubstr("--out &#39;runs/a b&#39;"));
}

TEST_F(RunPage, LoadsNothing) {
  const std::string page = run_page(make("one", {}), kKnown);
  for (const char* const reference : {"http:", "https:", "src=", "url(", "@import", "<script"})
    EXPECT_THAT(page, Not(HasSubstr(reference)));
}

TEST_F(RunPage, SettingsThatAreNotThePapersAreMarked) {
  SmallRun run;
  run.config =
      R"({"seed":1,"epochs":10,"lr":0.5,"curvature":"empirical:scale=secant","schedule":"constant"})";
  const std::string page = run_page(make("one", run), kKnown);
  EXPECT_THAT(page, HasSubstr("Not as in the paper (≠): lr, curvature."));
  EXPECT_THAT(page, HasSubstr("lr</td><td class=\"l\">0.5</td><td class=\"l\">0.001</td><td "
                              "class=\"l\">≠ 0.001</td>"));
  EXPECT_THAT(page,
              HasSubstr("schedule</td><td class=\"l\">constant</td><td class=\"l\">cosine</td>"
                        "<td class=\"l\">not published</td>"));
}

TEST_F(RunPage, TheCommandHasWhatIsNotTheDefaultAndSaysWhatIsComputed) {
  SmallRun run;
  run.config =
      R"({"seed":1,"epochs":10,"lr":0.5,"device":"auto:threads=2","of another version":1})";
  const std::string page = run_page(make("one", run), kKnown);
  EXPECT_THAT(page, HasSubstr("--lr 0.5"));
  for (const char* const left_out : {"--seed", "--epochs", "--device", "--of another version"})
    EXPECT_THAT(page, Not(HasSubstr(left_out)));
}

TEST_F(RunPage, LossesComeFromTheLogAndDamagedLinesAreLeftOut) {
  const std::filesystem::path run = make("one", {});
  EXPECT_THAT(run_page(run, kKnown), HasSubstr("metrics.jsonl has no steps"));
  std::ofstream log(run / "metrics.jsonl");
  log << R"({"event":"step","time":1,"task":0,"step":0,"loss":2})" << '\n'
      << R"({"event":"step","time":1,"task":0,"step":1,"loss":null})" << '\n'
      << R"({"event":"step","time":1,"task":0,"step":2,"lo)" << '\n'
      << R"({"event":"step","time":1,"task":1,"step":0,"loss":1})" << '\n';
  log.close();
  EXPECT_THAT(run_page(run, kKnown), AllOf(HasSubstr("<title>loss, step 0.5: 2</title>"),
                                           HasSubstr("<title>loss, step 1.5: 1</title>")));
}

TEST_F(RunPage, TheTableForProgramsHasEveryCell) {
  SmallRun run;
  EXPECT_EQ(accuracy_csv(make("one", run)),
            "after_task,task,name,samples,correct_before_merge,correct,"
            "correct_given_task_before_merge,correct_given_task,accuracy_before_merge,accuracy,"
            "classifier\n"
            "1,1,task 1,10,10,9,10,10,1.000000,0.900000,local\n"
            "2,1,task 1,10,7,6,10,10,0.700000,0.600000,local\n"
            "2,2,task 2,10,8,7,10,10,0.800000,0.700000,local\n");
}

TEST_F(RunPage, OtherClassifiersHaveATableAndTheirOwnLines) {
  const SmallRun alone, both{.others = {"ridge"}};
  EXPECT_THAT(run_page(make("alone", alone), kKnown), Not(HasSubstr("By each of the run")));
  const std::filesystem::path folder = make("both", both);
  EXPECT_THAT(run_page(folder, kKnown),
              AllOf(HasSubstr("By each of the run"), HasSubstr(">ridge<")));
  EXPECT_THAT(accuracy_csv(folder),
              HasSubstr("0.700000,local\n"
                        "1,1,task 1,10,10,9,10,10,1.000000,0.900000,ridge\n"));
}

TEST_F(RunPage, ARunWithoutAFinishedTaskHasAPageAndNoneHasNot) {
  EXPECT_THAT(run_page(make("begun", {.correct = {}}), kKnown),
              HasSubstr("No task is finished yet."));
  std::filesystem::create_directories(folder_ / "nothing");
  EXPECT_THROW(run_page(folder_ / "nothing", kKnown), InputError);
}

TEST_F(RunPage, IsWrittenAfterEachTaskAndAFailureEndsNothing) {
  const std::filesystem::path run = make("one", {});
  RunPageWriter(run, kKnown).on(TaskSaved{});
  EXPECT_EQ(read_text(run / "report.html"), run_page(run, kKnown));
  EXPECT_EQ(read_text(run / "accuracy.csv"), accuracy_csv(run));
  testing::internal::CaptureStderr();
  RunPageWriter(folder_ / "nowhere", kKnown).on(TaskSaved{});
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("report.html is not written"));
}

}  // namespace
}  // namespace palimpsest
