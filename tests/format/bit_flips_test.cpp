// One bit of a run is flipped, at 200 random places of each kind of file: what is read afterwards
// is an error that names the file, the earlier generation, or exactly what was written.
#include "fixtures.h"
#include "palimpsest/format/run_folder.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;

class BitFlipsTest : public FolderTest {
 protected:
  BitFlipsTest() {
    run_.create("{}");
    for (std::int64_t task = 0; task < 2; ++task)
      run_.commit(sample_task(task), sample_state(task + 1));
    for (const std::int64_t steps : {10, 20}) {
      StepRecord step = sample_step(2, steps);
      step.state_content_sha256 = run_.newest_state()->content_sha256;
      run_.commit_step(step, {{"metrics.jsonl", 0}});
    }
  }

  RunFolder run_{folder_ / "run"};
};

TEST_F(BitFlipsTest, OfATaskRecordAreRefused) {
  each_flip(run_.task_file(1), [&] {
    EXPECT_THAT(error_message<InputError>([&] { run_.task(1); }), HasSubstr("task-0001.h5"));
  });
}

TEST_F(BitFlipsTest, OfTheNewestStateAreRefusedAndAResumeFallsBackToTheOneBefore) {
  each_flip(run_.state_file(1), [&] {
    EXPECT_THAT(error_message<InputError>([&] { run_.newest_state(); }),
                HasSubstr("state-0001.h5"));
    const NewestState newest = run_.state_to_resume().value();
    EXPECT_EQ(newest.record.tasks_done, 1);
    EXPECT_THAT(newest.remark, HasSubstr("state-0001.h5"));
  });
}

TEST_F(BitFlipsTest, OfTheNewestStepFallBackToTheOneBefore) {
  const std::string state = run_.newest_state()->content_sha256;
  each_flip(run_.path() / "step-0002-00000020.h5", [&] {
    const NewestStep newest = run_.newest_step(2, state);
    EXPECT_EQ(newest.record->progress.steps_done, 10);
    EXPECT_THAT(newest.remark, HasSubstr("step-0002-00000020.h5"));
  });
}

// Nothing guards the manifest's own bytes: a flip may turn one name or digit into another. What
// must not happen is a crash, or a record that is not the one that was written.
TEST_F(BitFlipsTest, OfTheManifestNeverGiveAnotherRecord) {
  const StateRecord first = read_state_record(run_.state_file(0));
  const StateRecord second = read_state_record(run_.state_file(1));
  int refused = 0;
  each_flip(run_.path() / "manifest.json", [&] {
    try {
      const std::optional<NewestState> newest = run_.newest_state();
      if (!newest) return;
      const StateRecord& expected = newest->record.tasks_done == 1 ? first : second;
      EXPECT_EQ(newest->record.merged, expected.merged);
      EXPECT_EQ(newest->record.memory, expected.memory);
      const NewestStep step = run_.newest_step(newest->record.tasks_done, newest->content_sha256);
      if (step.record) {
        EXPECT_TRUE(step.record->progress ==
                    sample_step(2, step.record->progress.steps_done).progress);
      }
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(run_.path().string()));
      ++refused;
    }
  });
  EXPECT_GT(refused, 0);
}

TEST_F(BitFlipsTest, OfARecordWithoutAManifestAreRefusedOrChangeNothing) {
  const TaskRecord whole = read_task_record(run_.task_file(1));
  int refused = 0;
  each_flip(run_.task_file(1), [&] {
    try {
      TaskRecord found = read_task_record(run_.task_file(1));
      found.metrics.seconds_train = whole.metrics.seconds_train;  // not hashed
      found.metrics.seconds_fisher = whole.metrics.seconds_fisher;
      found.metrics.seconds_merge = whole.metrics.seconds_merge;
      found.metrics.seconds_evaluate = whole.metrics.seconds_evaluate;
      EXPECT_TRUE(found == whole);
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("task-0001.h5"));
      ++refused;
    }
  });
  EXPECT_GT(refused, kFlips / 2);
}

}  // namespace
}  // namespace palimpsest
