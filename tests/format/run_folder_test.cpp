#include "palimpsest/format/run_folder.h"

#include <cstring>

#include "fixtures.h"
#include "palimpsest/core/hash.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RunFolderTest : public FolderTest {
 protected:
  void commit(std::int64_t task) const {
    write_bytes(run_.log_file(), std::string(static_cast<std::size_t>(100 * (task + 1)), 'l'));
    run_.commit(sample_task(task), sample_state(task + 1));
  }
  void commit_up_to(std::int64_t last) const {
    run_.create("{}");
    for (std::int64_t task = 0; task <= last; ++task) commit(task);
  }
  void damage(const std::filesystem::path& path) const {
    std::string bytes = read_bytes(path);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    write_bytes(path, bytes);
  }
  bool exists(const std::string& name) const { return std::filesystem::exists(run_.path() / name); }

  RunFolder run_{folder_ / "run"};
};

TEST_F(RunFolderTest, ANewFolderHasTheConfigurationAndNoState) {
  run_.create("{\"seed\": 1}");
  EXPECT_EQ(read_bytes(run_.path() / "run.json"), "{\"seed\": 1}");
  EXPECT_FALSE(run_.manifest().has_value());
  EXPECT_FALSE(run_.newest_state().has_value());
}

TEST_F(RunFolderTest, RefusesToCreateOverARun) {
  run_.create("{}");
  EXPECT_THAT(error_message<UsageError>([&] { run_.create("{}"); }),
              AllOf(HasSubstr(run_.path().string()), HasSubstr("--resume")));
}

TEST_F(RunFolderTest, ARunThatCommittedNothingStartsAgain) {
  run_.create("{\"seed\": 1}");
  write_bytes(run_.log_file(), "lines of a task that was never finished");
  run_.restart("{\"seed\": 2}");
  EXPECT_EQ(read_bytes(run_.path() / "run.json"), "{\"seed\": 2}");
  EXPECT_EQ(read_bytes(run_.log_file()), "");
  commit(0);
  EXPECT_EQ(run_.newest_state()->record.tasks_done, 1);
}

TEST_F(RunFolderTest, ANewFolderCanBeStartedAgainToo) {
  run_.restart("{}");
  EXPECT_EQ(read_bytes(run_.path() / "run.json"), "{}");
  EXPECT_FALSE(std::filesystem::exists(run_.log_file()));
  commit(0);
}

TEST_F(RunFolderTest, RefusesToStartAgainOverWhatWasCommitted) {
  commit_up_to(0);
  EXPECT_THAT(error_message<UsageError>([&] { run_.restart("{\"seed\": 2}"); }),
              AllOf(HasSubstr(run_.path().string()), HasSubstr("manifest.json")));
  EXPECT_EQ(read_bytes(run_.path() / "run.json"), "{}");
  EXPECT_EQ(std::filesystem::file_size(run_.log_file()), 100u);
}

TEST_F(RunFolderTest, CommitNamesEveryFileWithItsHashes) {
  commit_up_to(1);
  const Manifest manifest = run_.manifest().value();
  EXPECT_EQ(manifest.tasks_done, 2);
  ASSERT_EQ(manifest.files.size(), 4u);
  for (const auto& [name, file] : manifest.files) {
    EXPECT_EQ(file.sha256, sha256_file(run_.path() / name)) << name;
    EXPECT_EQ(file.content_sha256, read_identity(run_.path() / name).content_sha256) << name;
  }
  EXPECT_EQ(manifest.files.at("state-0001.h5").logs.at("metrics.jsonl"), 200);
  EXPECT_EQ(run_.newest_state()->record.tasks_done, 2);
  EXPECT_TRUE(run_.task(0) == sample_task(0));
  EXPECT_TRUE(run_.task(1) == sample_task(1));
}

TEST_F(RunFolderTest, KeepsTheLastTwoStatesAndEveryTask) {
  commit_up_to(2);
  EXPECT_FALSE(exists("state-0000.h5"));
  EXPECT_TRUE(exists("state-0001.h5"));
  EXPECT_TRUE(exists("state-0002.h5"));
  EXPECT_TRUE(exists("tasks/task-0000.h5"));
  EXPECT_EQ(run_.manifest()->files.size(), 5u);
}

TEST_F(RunFolderTest, RefusesMoreTasksBeforeThanAreDone) {
  commit_up_to(1);
  const std::filesystem::path path = run_.path() / "manifest.json";
  std::string text = read_bytes(path);
  write_bytes(path, "{\"tasks_before\": 3," + text.substr(text.find('{') + 1));
  EXPECT_THAT(error_message<InputError>([&] { run_.manifest(); }),
              AllOf(HasSubstr("tasks_before"), HasSubstr("at most tasks_done, 2")));
}

TEST_F(RunFolderTest, OldStatesStayWhenACommitFails) {
  commit_up_to(1);
  StateRecord state = sample_state(3);
  state.merged[0] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(run_.commit(sample_task(2), state), Error);
  EXPECT_TRUE(exists("state-0000.h5"));
  EXPECT_EQ(run_.manifest()->tasks_done, 2);
  EXPECT_EQ(run_.newest_state()->record.tasks_done, 2);
  commit(2);
  EXPECT_EQ(run_.newest_state()->record.tasks_done, 3);
}

TEST_F(RunFolderTest, AResumeFallsBackToTheStateBeforeADamagedOneAndSaysSo) {
  commit_up_to(2);
  EXPECT_EQ(run_.state_to_resume()->remark, "");
  damage(run_.state_file(2));
  const NewestState newest = run_.state_to_resume().value();
  EXPECT_EQ(newest.record.tasks_done, 2);
  EXPECT_THAT(newest.remark,
              AllOf(HasSubstr("resuming from state-0001.h5"), HasSubstr("damaged"),
                    HasSubstr(run_.state_file(2).string()), HasSubstr("expected SHA-256")));
  run_.cut_logs(1);
  EXPECT_EQ(std::filesystem::file_size(run_.log_file()), 200u);
  commit(2);
  EXPECT_EQ(run_.newest_state()->record.tasks_done, 3);
  EXPECT_TRUE(run_.task(2) == sample_task(2));
}

TEST_F(RunFolderTest, AResumeFallsBackToTheStateBeforeAMissingOne) {
  commit_up_to(1);
  std::filesystem::remove(run_.state_file(1));
  EXPECT_THAT(error_message<InputError>([&] { run_.newest_state(); }), HasSubstr("state-0001.h5"));
  const NewestState newest = run_.state_to_resume().value();
  EXPECT_EQ(newest.record.tasks_done, 1);
  EXPECT_THAT(newest.remark, AllOf(HasSubstr("resuming from state-0000.h5"),
                                   HasSubstr("cannot read"), HasSubstr("state-0001.h5")));
}

TEST_F(RunFolderTest, AManifestThatLacksWhatACommitWritesIsRefused) {
  commit_up_to(1);
  const std::filesystem::path path = run_.path() / "manifest.json";
  const std::string whole = read_bytes(path);
  for (const char* name : {"state-0001.h5", "tasks/task-0001.h5"}) {
    std::string text = whole;
    text.replace(text.find(name), std::strlen(name), std::string(name).replace(8, 1, "7"));
    write_bytes(path, text);
    EXPECT_THAT(error_message<InputError>([&] { run_.newest_state(); }),
                HasSubstr("manifest.json"));
  }
}

TEST_F(RunFolderTest, ALostTaskRecordFallsBackToTheStateBefore) {
  commit_up_to(1);
  std::filesystem::remove(run_.task_file(1));
  const NewestState newest = run_.state_to_resume().value();
  EXPECT_EQ(newest.record.tasks_done, 1);
  EXPECT_THAT(newest.remark, HasSubstr("task-0001.h5"));
}

TEST_F(RunFolderTest, ForgottenStepsAreNotAmongTheTwoThatAreKept) {
  commit_up_to(0);
  const std::string state = run_.newest_state()->content_sha256;
  for (const std::int64_t steps : {10, 20, 30}) {
    if (steps == 30) run_.forget_steps(1, 10);  // 20 was damaged
    StepRecord step = sample_step(1, steps);
    step.state_content_sha256 = state;
    run_.commit_step(step, {{"metrics.jsonl", 0}});
  }
  const Manifest manifest = run_.manifest().value();
  EXPECT_TRUE(manifest.files.contains("step-0001-00000010.h5"));
  EXPECT_FALSE(manifest.files.contains("step-0001-00000020.h5"));
  EXPECT_TRUE(manifest.files.contains("step-0001-00000030.h5"));
}

TEST_F(RunFolderTest, RefusesToContinueWhenNoStateIsWhole) {
  commit_up_to(1);
  damage(run_.state_file(0));
  damage(run_.state_file(1));
  EXPECT_THAT(error_message<InputError>([&] { run_.state_to_resume(); }),
              AllOf(HasSubstr("state-0000.h5"), HasSubstr("state-0001.h5"), HasSubstr("SHA-256")));
}

TEST_F(RunFolderTest, CutsTheLogWhereTheStateWasCommitted) {
  commit_up_to(1);
  write_bytes(run_.log_file(), std::string(200, 'l') + "lines of a task that was lost");
  EXPECT_EQ(run_.cut_logs(1), "");
  EXPECT_EQ(read_bytes(run_.log_file()), std::string(200, 'l'));
  write_bytes(run_.log_file(), "short");
  EXPECT_THAT(run_.cut_logs(1), HasSubstr("expected 200 bytes of what came before, found 5"));
  EXPECT_EQ(read_bytes(run_.log_file()), "short\n");
}

TEST_F(RunFolderTest, CutsEveryLogWhereACheckpointHasIt) {
  run_.create("{}");
  commit(0);
  write_bytes(run_.events_file(), "123456");
  commit(1);
  const LogOffsets both = {{"metrics.jsonl", 200}, {"events.out.tfevents.palimpsest", 6}};
  EXPECT_EQ(run_.manifest()->files.at("state-0001.h5").logs, both);
  write_bytes(run_.events_file(), "123456789");
  EXPECT_EQ(run_.cut_logs(1), "");
  EXPECT_EQ(read_bytes(run_.events_file()), "123456");
  write_bytes(run_.events_file(), "123");
  EXPECT_THAT(run_.cut_logs(1), HasSubstr("expected 6 bytes of what came before, found 3"));
  EXPECT_EQ(read_bytes(run_.events_file()), "123");
  run_.cut_logs(0);  // there were no events yet
  EXPECT_EQ(read_bytes(run_.events_file()), "");
}

TEST_F(RunFolderTest, ARunWithoutALogCommitsToo) {
  run_.create("{}");
  run_.commit(sample_task(0), sample_state(1));
  EXPECT_EQ(run_.manifest()->files.at("state-0000.h5").logs.at("metrics.jsonl"), 0);
}

TEST_F(RunFolderTest, RefusesACommitOutOfOrder) {
  run_.create("{}");
  EXPECT_THAT(error_message<Error>([&] { run_.commit(sample_task(1), sample_state(2)); }),
              AllOf(HasSubstr("task 1"), HasSubstr("task 0 is not in manifest.json")));
  EXPECT_THAT(error_message<Error>([&] { run_.commit(sample_task(0), sample_state(2)); }),
              HasSubstr("expected the state after task 0"));
}

TEST_F(RunFolderTest, RefusesATaskThatIsDamagedOrUnknown) {
  commit_up_to(1);
  damage(run_.task_file(0));
  EXPECT_THAT(error_message<InputError>([&] { run_.task(0); }),
              AllOf(HasSubstr("task-0000.h5"), HasSubstr("SHA-256")));
  EXPECT_THAT(error_message<InputError>([&] { run_.task(7); }), HasSubstr("task 8"));
}

// A step of the task after sample_state(task), or of the first.
StepRecord make_step(const RunFolder& run, std::int64_t task, std::int64_t steps_done) {
  StepRecord step = sample_step(task, steps_done);
  if (task > 0) step.state_content_sha256 = run.newest_state()->content_sha256;
  return step;
}

TEST_F(RunFolderTest, StepsOfTheFirstTaskAreThereBeforeAnyState) {
  run_.create("{}");
  EXPECT_FALSE(run_.newest_step(0, "").record.has_value());
  write_bytes(run_.log_file(), std::string(70, 'l'));
  run_.commit_step(make_step(run_, 0, 10), {{"metrics.jsonl", 60}});
  EXPECT_FALSE(run_.newest_state().has_value());
  EXPECT_EQ(run_.manifest()->tasks_done, 0);
  const NewestStep newest = run_.newest_step(0, "");
  EXPECT_TRUE(newest.record == make_step(run_, 0, 10));
  EXPECT_EQ(newest.remark, "");
  run_.cut_logs(newest.record->progress);
  EXPECT_EQ(std::filesystem::file_size(run_.log_file()), 60u);
  run_.restart("{}");  // no task is finished: it may begin again
  EXPECT_FALSE(run_.manifest().has_value());
  EXPECT_FALSE(exists("step-0000-00000010.h5"));
}

TEST_F(RunFolderTest, KeepsTwoStepsAndBothStatesUntilTheTaskIsDone) {
  commit_up_to(1);
  for (const std::int64_t steps : {10, 20, 30})
    run_.commit_step(make_step(run_, 2, steps), {{"metrics.jsonl", 250 + steps}});
  EXPECT_EQ(run_.newest_state()->record.tasks_done, 2);
  EXPECT_TRUE(exists("state-0000.h5") && exists("state-0001.h5"));
  EXPECT_FALSE(exists("step-0002-00000010.h5"));
  EXPECT_TRUE(exists("step-0002-00000020.h5") && exists("step-0002-00000030.h5"));
  const std::string state = run_.newest_state()->content_sha256;
  EXPECT_EQ(run_.newest_step(2, state).record->progress.steps_done, 30);
  EXPECT_FALSE(run_.newest_step(2, std::string(64, '0')).record.has_value())
      << "a step of another state was taken";
  commit(2);
  EXPECT_FALSE(exists("step-0002-00000030.h5"));
  EXPECT_EQ(run_.manifest()->files.size(), 5u);
}

TEST_F(RunFolderTest, RemembersHowManyTasksCameBeforeItsOwn) {
  commit_up_to(1);
  const RunFolder other(at("continued"));
  other.create("{}");
  other.begin_with(run_, run_.newest_state()->record, 2);
  EXPECT_EQ(other.manifest()->tasks_before, 2);
  other.commit_step(make_step(other, 2, 10), {{"metrics.jsonl", 0}});
  EXPECT_EQ(other.manifest()->tasks_before, 2);
  other.forget_steps(2, 0);
  EXPECT_EQ(other.manifest()->tasks_before, 2);
  other.commit(sample_task(2), sample_state(3));
  EXPECT_EQ(other.manifest()->tasks_before, 2);
  EXPECT_EQ(run_.manifest()->tasks_before, 0);
  EXPECT_THAT(read_bytes(run_.path() / "manifest.json"), Not(HasSubstr("tasks_before")));
}

TEST_F(RunFolderTest, ADamagedStepFallsBackToTheOneBeforeAndThenToTheTask) {
  commit_up_to(0);
  run_.commit_step(make_step(run_, 1, 10), {{"metrics.jsonl", 0}});
  run_.commit_step(make_step(run_, 1, 20), {{"metrics.jsonl", 0}});
  const std::string state = run_.newest_state()->content_sha256;
  damage(run_.path() / "step-0001-00000020.h5");
  NewestStep newest = run_.newest_step(1, state);
  EXPECT_EQ(newest.record->progress.steps_done, 10);
  EXPECT_THAT(newest.remark, AllOf(HasSubstr("step-0001-00000020.h5"), HasSubstr("damaged"),
                                   HasSubstr("resuming from step-0001-00000010.h5")));
  run_.commit_step(make_step(run_, 1, 15),
                   {{"metrics.jsonl", 0}});  // the run continues from step 10
  EXPECT_EQ(run_.newest_step(1, state).record->progress.steps_done, 15);
  EXPECT_FALSE(exists("step-0001-00000020.h5"));
  damage(run_.path() / "step-0001-00000015.h5");
  damage(run_.path() / "step-0001-00000010.h5");
  newest = run_.newest_step(1, state);
  EXPECT_FALSE(newest.record.has_value());
  EXPECT_THAT(newest.remark, HasSubstr("doing task 2 again"));
}

TEST_F(RunFolderTest, RefusesAStepOfATaskThatIsNotTheNext) {
  run_.create("{}");
  EXPECT_THAT(error_message<Error>([&] {
                run_.commit_step(sample_step(1, 10), {{"metrics.jsonl", 0}});
              }),
              HasSubstr("expected a step of task 0, found one of task 1"));
}

TEST_F(RunFolderTest, ANewRunBeginsWithTheStateOfAnother) {
  commit_up_to(2);
  const RunFolder fork(folder_ / "fork");
  fork.create("{}");
  fork.begin_with(run_, read_state_record(run_.state_file(1)));
  EXPECT_EQ(fork.newest_state()->record.tasks_done, 2);
  EXPECT_EQ(fork.newest_state()->content_sha256,
            run_.manifest()->files.at("state-0001.h5").content_sha256);
  EXPECT_TRUE(fork.task(1) == run_.task(1));
  EXPECT_EQ(fork.manifest()->files.size(), 3u);
  EXPECT_EQ(run_.newest_state()->record.tasks_done, 3) << "the other run was changed";
}

TEST_F(RunFolderTest, RemovesWhatWasLeftHalfWritten) {
  commit_up_to(0);
  write_bytes(run_.path() / "state-0001.h5.123.tmp", "half");
  write_bytes(run_.path() / "tasks" / "task-0001.h5.123.tmp", "half");
  run_.remove_temporaries();
  EXPECT_FALSE(exists("state-0001.h5.123.tmp") || exists("tasks/task-0001.h5.123.tmp"));
  EXPECT_EQ(run_.newest_state()->record.tasks_done, 1);
}

TEST_F(RunFolderTest, RefusesADamagedManifest) {
  commit_up_to(0);
  const std::filesystem::path path = run_.path() / "manifest.json";
  const std::string whole = read_bytes(path);
  const auto refusal = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    text.replace(text.find(from), from.size(), to);
    write_bytes(path, text);
    return error_message<InputError>([&] { run_.manifest(); });
  };
  write_bytes(path, whole.substr(0, whole.size() / 2));
  EXPECT_THAT(error_message<InputError>([&] { run_.newest_state(); }), HasSubstr("syntax error"));
  EXPECT_THAT(refusal("tasks/task-0000.h5", "../task-0000.h5"), HasSubstr("inside the run folder"));
  EXPECT_THAT(refusal("tasks/task-0000.h5", "/etc/passwd"), HasSubstr("inside the run folder"));
  EXPECT_THAT(refusal("\"metrics.jsonl\"", "\"../../log\""), HasSubstr("inside the run folder"));
  EXPECT_THAT(refusal("\"sha256\": \"", "\"sha256\": \"zz"), HasSubstr("64 hexadecimal digits"));
  EXPECT_THAT(refusal("\"manifest\"", "\"protocol\""), HasSubstr("palimpsest_type"));
  EXPECT_THAT(refusal("3.1.0", "4.0.0"), HasSubstr("palimpsest_version"));
}

}  // namespace
}  // namespace palimpsest
