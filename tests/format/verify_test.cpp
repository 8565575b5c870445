// palimpsest verify finds each way in which a run may be less than whole.
#include "palimpsest/format/verify.h"

#include <cmath>

#include "fixtures.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/event_file.h"
#include "palimpsest/format/run_folder.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kTasks = 3;
const std::string kDescription =
    R"({"palimpsest_type": "run", "palimpsest_version": "1.0.0", "backbone_sha256": ")" +
    std::string(64, 'a') + "\"}";

class VerifyTest : public FolderTest {
 protected:
  VerifyTest() {
    run_.create(kDescription);
    write_bytes(run_.log_file(), "{\"event\":\"step\"}\n{\"event\":\"step\"}\n");
    for (std::int64_t task = 0; task < kTasks; ++task)
      run_.commit(make_task(task), make_state(task));
    StepRecord step = sample_step(kTasks, 10);
    step.state_content_sha256 = run_.newest_state()->content_sha256;
    run_.commit_step(step, run_.log_offsets());
  }

  static StateRecord make_state(std::int64_t task) {
    StateRecord state = sample_state(task + 1);
    state.merged.front() = static_cast<float>(task);
    return state;
  }

  // Fits the states before and after it.
  static TaskRecord make_task(std::int64_t task) {
    TaskRecord record = sample_task(task);
    const StateRecord after = make_state(task);
    record.merge.weights_before = task == 0 ? weights_hash(std::vector<float>(20))
                                            : weights_hash(make_state(task - 1).merged);
    record.merge.weights_after = weights_hash(after.merged);
    record.metrics.after_merge = after.accuracy.row(static_cast<std::size_t>(task));
    record.metrics.before_merge = after.accuracy.row_before_merge(static_cast<std::size_t>(task));
    return record;
  }

  std::vector<std::string> problems() const { return verify(run_.path()).problems; }

  // Puts a record in the place of another, in the folder and in the manifest.
  void replace(const std::filesystem::path& path, const std::filesystem::path& by) const {
    std::string manifest = read_bytes(run_.path() / "manifest.json");
    for (const auto& [old_hash, new_hash] :
         {std::pair(sha256_file(path), sha256_file(by)),
          std::pair(read_identity(path).content_sha256, read_identity(by).content_sha256)}) {
      manifest.replace(manifest.find(old_hash), old_hash.size(), new_hash);
    }
    write_bytes(run_.path() / "manifest.json", manifest);
    write_bytes(path, read_bytes(by));
  }

  RunFolder run_{folder_ / "run"};
};

TEST_F(VerifyTest, AWholeRunHasNoProblems) {
  const Verification result = verify(run_.path());
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_THAT(result.remarks, IsEmpty());
  EXPECT_EQ(result.checked, "1 log, 2 states, 1 step, 3 task records");
  EXPECT_THAT(verify(run_.path() / "manifest.json").problems, IsEmpty());
  EXPECT_THAT(verify(run_.task_file(0)).problems, IsEmpty());
  EXPECT_EQ(verify(run_.task_file(0)).checked, "the task");
}

TEST_F(VerifyTest, NothingThereIsAProblem) {
  EXPECT_THAT(verify(at("nowhere")).problems, ElementsAre(HasSubstr("found nothing there")));
  EXPECT_THAT(verify(folder_).problems, ElementsAre(HasSubstr("manifest.json")));
}

TEST_F(VerifyTest, AFlippedBitIsFoundByEveryHash) {
  flip_bit_at(run_.task_file(1), little_endian({0.1f, 0.2f}));  // in a factor
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("SHA-256 by manifest.json"), HasSubstr("CRC-32C")));
}

TEST_F(VerifyTest, ALostFileIsNamed) {
  std::filesystem::remove(run_.task_file(1));
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("task-0001.h5")));
}

TEST_F(VerifyTest, AFileThatTheManifestForgotIsNamed) {
  std::string manifest = read_bytes(run_.path() / "manifest.json");
  manifest.replace(manifest.find("tasks/task-0001"), 15, "tasks/task-0009");
  write_bytes(run_.path() / "manifest.json", manifest);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("expected an entry for tasks/task-0001.h5")));
}

TEST_F(VerifyTest, AManifestWithAnotherNumberOfTasksIsNamed) {
  std::string manifest = read_bytes(run_.path() / "manifest.json");
  manifest.replace(manifest.find("\"tasks_done\": 3"), 15, "\"tasks_done\": 0");
  write_bytes(run_.path() / "manifest.json", manifest);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("expected records of 0 tasks")));
}

TEST_F(VerifyTest, AFrozenRunIsWhole) {
  const RunFolder frozen(folder_ / "frozen");
  frozen.create(kDescription);
  TaskRecord record = frozen_task(0);
  record.merge.coefficients = {1};
  record.merge.weights_before = record.merge.weights_after = weights_hash({});
  const StateRecord state = frozen_state(1);
  record.metrics.after_merge = state.accuracy.row(0);
  record.metrics.before_merge = state.accuracy.row_before_merge(0);
  frozen.commit(record, state);
  EXPECT_THAT(verify(frozen.path()).problems, IsEmpty());
}

TEST_F(VerifyTest, AnotherRunsDescriptionIsNamed) {
  write_bytes(run_.path() / "run.json", "{}");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("run.json")));
  std::filesystem::remove(run_.path() / "run.json");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("run.json")));
}

TEST_F(VerifyTest, ARecordOfAnotherTaskIsNamed) {
  replace(run_.task_file(1), run_.task_file(2));
  EXPECT_THAT(problems(), testing::Contains(HasSubstr("task by its name: expected 1, found 2")));
}

TEST_F(VerifyTest, ATaskMergedOntoOtherWeightsIsNamed) {
  TaskRecord record = make_task(2);
  record.merge.weights_before = std::string(64, 'f');
  run_.commit(record, make_state(2));
  EXPECT_THAT(problems(),
              ElementsAre(AllOf(HasSubstr("task-0002.h5"), HasSubstr("weights before this task"))));
}

TEST_F(VerifyTest, AStateOfOtherWeightsOrAccuraciesIsNamed) {
  StateRecord state = make_state(2);
  state.merged.back() = 17;
  TaskRecord record = make_task(2);
  record.metrics.after_merge = record.metrics.before_merge;
  run_.commit(record, state);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("merged weights (after the last task)"),
                                      HasSubstr("accuracies after task 2")));
}

TEST_F(VerifyTest, OtherAccuraciesByAnotherClassifierAreNamed) {
  StateRecord state = make_state(2);
  std::swap(state.others[0].accuracy, state.others[1].accuracy);
  run_.commit(make_task(2), state);
  EXPECT_THAT(problems(), testing::Contains(HasSubstr("accuracies after task 2 by gaussian")));
}

// As of a run that was begun from another's, whose classifiers had another order.
TEST_F(VerifyTest, TheOwnClassifierMayHaveBeenAnother) {
  StateRecord state = make_state(2);
  TaskRecord record = make_task(2);
  const auto own_of = [](std::int64_t task) { return make_task(task).metrics.others[0]; };
  record.metrics.classifier = own_of(2).classifier;
  record.metrics.before_merge = own_of(2).before_merge;
  record.metrics.after_merge = own_of(2).after_merge;
  record.metrics.others = {record.metrics.others[1]};
  state.accuracy = state.others[0].accuracy;
  state.others = {state.others[1]};
  run_.commit(record, state);
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(VerifyTest, AnotherBackboneIsNamed) {
  TaskRecord record = make_task(2);
  record.backbone_sha256 = std::string(64, 'e');
  run_.commit(record, make_state(2));
  EXPECT_THAT(problems(), ElementsAre(AllOf(HasSubstr("task-0002.h5"), HasSubstr("backbone")),
                                      AllOf(HasSubstr("state-0002.h5"), HasSubstr("backbone")),
                                      AllOf(HasSubstr("run.json"), HasSubstr("backbone"))));
}

TEST_F(VerifyTest, NumbersThatAreNotFiniteAreNamed) {
  write_task_record(at("task.h5"), sample_task(1));
  change_hdf5(at("task.h5"), [](hid_t file) {
    const H5Handle bias(H5Dopen2(file, "/head/bias", H5P_DEFAULT));
    const float values[] = {1, NAN};
    ASSERT_GE(H5Dwrite(bias.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    ASSERT_GE(H5Adelete(bias.get(), "crc32c"), 0);
  });
  EXPECT_THAT(verify(at("task.h5")).problems,
              ElementsAre(AllOf(HasSubstr("/head/bias"), HasSubstr("finite")),
                          HasSubstr("/head/bias@crc32c")));
}

// A scalar attribute.
void add_number(hid_t file, const char* object, const char* name, hid_t type) {
  const H5Handle owner(H5Oopen(file, object, H5P_DEFAULT)), space(H5Screate(H5S_SCALAR));
  const H5Handle made(H5Acreate2(owner.get(), name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT));
  const std::int64_t zero = 0;
  ASSERT_GE(H5Awrite(made.get(), type, &zero), 0);
}

void add_group(hid_t file, const char* path) {
  ASSERT_TRUE(H5Handle(H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)));
}

TEST_F(VerifyTest, EveryObjectThatIsntAsDescribedIsNamed) {
  const std::string module = "/lora/" + sample_task(1).lora[0].module;
  const std::vector<hsize_t> one = {1}, rows = {2, 3};
  struct Change {
    std::string found;  // in the only problem
    std::function<void(hid_t file)> make;
  };
  const Change changes[] = {
      {"/extra: expected nothing of this name, found an empty group",
       [](hid_t file) { add_group(file, "/extra"); }},
      {"/metrics/extra: expected nothing of this name, found an empty group",
       [](hid_t file) { add_group(file, "/metrics/extra"); }},
      {"/head@kind@crc32c: expected a name without @",
       [](hid_t file) { add_number(file, "/head", "kind@crc32c", H5T_STD_U32LE); }},
      {"/head@kind: expected a name without @", [](hid_t file) { add_group(file, "/head@kind"); }},
      {"/head/weight@crc32c: expected this attribute, found none",
       [](hid_t file) { H5Adelete_by_name(file, "/head/weight", "crc32c", H5P_DEFAULT); }},
      {"/config@crc32c: expected this attribute, found none",
       [](hid_t file) { H5Adelete_by_name(file, "/config", "crc32c", H5P_DEFAULT); }},
      {"/@extra: expected nothing of this name",
       [](hid_t file) { add_number(file, "/", "extra", H5T_STD_I64LE); }},
      {"/head/weight@extra: expected nothing of this name",
       [](hid_t file) { add_number(file, "/head/weight", "extra", H5T_STD_I64LE); }},
      {"/task@extra: expected nothing of this name",
       [](hid_t file) { add_number(file, "/task", "extra", H5T_STD_I64LE); }},
      {"/task@crc32c: expected nothing of this name",
       [](hid_t file) { add_number(file, "/task", "crc32c", H5T_STD_U32LE); }},
      {"/head/extra: expected nothing of this name",
       [&](hid_t file) {
         H5Olink(H5Handle(H5Oopen(file, "/head/bias", H5P_DEFAULT)).get(), file, "/head/extra",
                 H5P_DEFAULT, H5P_DEFAULT);
       }},
      {module + "@rank: expected this attribute, found none",
       [&](hid_t file) { H5Adelete_by_name(file, module.c_str(), "rank", H5P_DEFAULT); }},
      {"/task@seed: expected u8",
       [](hid_t file) {
         H5Adelete_by_name(file, "/task", "seed", H5P_DEFAULT);
         add_number(file, "/task", "seed", H5T_STD_I64LE);
       }},
  };
  for (const Change& change : changes) {
    write_task_record(at("task.h5"), sample_task(1));
    change_hdf5(at("task.h5"), change.make);
    EXPECT_THAT(verify(at("task.h5")).problems, ElementsAre(HasSubstr(change.found)));
  }
  // Of another shape: the values and the checksum are others, too.
  for (const auto& [path, dims] : {std::pair("/head/bias", rows), {"/head/weight", one}}) {
    write_task_record(at("task.h5"), sample_task(1));
    change_hdf5(at("task.h5"),
                [&](hid_t file) { replace_dataset(file, path, H5T_IEEE_F32LE, dims); });
    EXPECT_THAT(verify(at("task.h5")).problems,
                testing::Contains(AllOf(HasSubstr(path), HasSubstr("expected f4"))));
  }
}

TEST_F(VerifyTest, AShortOrDamagedLogIsNamed) {
  const std::string log = read_bytes(run_.log_file());
  write_bytes(run_.log_file(), log.substr(0, 20));
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("line 2: expected a JSON object"),
                                      HasSubstr("expected at least 34 bytes, found 20")));
  write_bytes(run_.log_file(), log + "half a li");  // written after the save: cut by a resume
  EXPECT_THAT(problems(), IsEmpty());
  std::string zeroed = log;  // as a power cut leaves it
  std::fill(zeroed.begin() + 20, zeroed.end(), '\0');
  write_bytes(run_.log_file(), zeroed);
  EXPECT_THAT(problems(), testing::Contains(HasSubstr("line 2: expected a JSON object")));
  write_bytes(run_.log_file(), "{\"event\":\"a line of more than 34 bytes\"}\n");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("expected the end of a line after 34 bytes")));
}

TEST_F(VerifyTest, DamagedEventsAreNamed) {
  const std::string events = event_record("one") + event_record("two");
  write_bytes(run_.events_file(), events);
  run_.commit(make_task(kTasks - 1), make_state(kTasks - 1));
  EXPECT_THAT(problems(), IsEmpty());
  write_bytes(run_.events_file(), events + "half");  // written after the save: cut by a resume
  EXPECT_THAT(problems(), IsEmpty());
  std::string flipped = events;
  flipped[events.size() - 6] ^= 1;
  write_bytes(run_.events_file(), flipped);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("expected whole records up to byte 38, found them "
                                                "up to byte 19")));
}

TEST_F(VerifyTest, FilesOfNobodyAreRemarkedOn) {
  write_bytes(run_.path() / "state-0009.h5.tmp", "");
  StepRecord step = sample_step(kTasks, 20);
  step.state_content_sha256 = std::string(64, '0');
  run_.commit_step(step, {{"metrics.jsonl", 0}});
  const Verification result = verify(run_.path());
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_THAT(result.remarks,
              ElementsAre("step-0003-00000020.h5 resumes from a state that was given up",
                          "state-0009.h5.tmp is not part of the run"));
}

}  // namespace
}  // namespace palimpsest
