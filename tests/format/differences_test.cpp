#include "palimpsest/format/differences.h"

#include "fixtures.h"
#include "palimpsest/format/run_folder.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

class DifferencesTest : public FolderTest {
 protected:
  // A run of `tasks` tasks, the last one changed.
  RunFolder run(const std::string& name, std::int64_t tasks,
                const std::function<void(TaskRecord&, StateRecord&)>& change = {}) const {
    const RunFolder folder(at(name));
    folder.create("{}");
    for (std::int64_t task = 0; task < tasks; ++task) {
      TaskRecord record = sample_task(task);
      StateRecord state = sample_state(task + 1);
      if (change && task == tasks - 1) change(record, state);
      folder.commit(record, state);
    }
    return folder;
  }
};

TEST_F(DifferencesTest, EqualRunsAreTheSameWhateverTheyTook) {
  run("a", 3);
  run("b", 3, [](TaskRecord& record, StateRecord& state) {
    record.metrics.seconds_train = 99;
    state.numerics = "{\"lanes\": \"8\"}";
  });
  const RecordComparison comparison = compare(at("a"), at("b"));
  EXPECT_THAT(comparison.differences, IsEmpty());
  EXPECT_EQ(comparison.compared, "3 task records, state-0002.h5");
}

TEST_F(DifferencesTest, TheFirstFieldIsASettingOfTheRun) {
  run("a", 2, [](TaskRecord& record, StateRecord&) { record.config = "{\"epochs\": 10}"; });
  run("b", 2, [](TaskRecord& record, StateRecord& state) {
    record.config = "{\"epochs\": 11, \"lr\": 1}";
    record.lora[0].b[1] += 0.5f;
    record.merge.coefficients = {0.125};
    state.merged[5] = -7;
  });
  const RecordComparison comparison = compare(at("a"), at("b"));
  ASSERT_GE(comparison.differences.size(), 4u);
  EXPECT_EQ(comparison.differences.front().file, "tasks/task-0001.h5");
  EXPECT_EQ(comparison.differences.front().field, "/config");
  EXPECT_THAT(comparison.differences.front().how,
              AllOf(HasSubstr("epochs: A 10, B 11"), HasSubstr("lr: A nothing, B 1")));
  const std::string lora = "/lora/" + sample_task(1).lora[0].module + "/B";
  EXPECT_THAT(comparison.differences,
              testing::Contains(AllOf(Field(&Difference::field, lora),
                                      Field(&Difference::how, HasSubstr("1 of ")))));
  EXPECT_THAT(comparison.differences.back(),
              AllOf(Field(&Difference::file, "state-0001.h5"),
                    Field(&Difference::how, AllOf(HasSubstr("1 of "), HasSubstr(", B -7")))));
}

TEST_F(DifferencesTest, SettingsAreTheSameHoweverTheyAreWritten) {
  const auto with_settings = [&](const std::string& name, const std::string& settings) {
    run(name, 1,
        [&](TaskRecord& record, StateRecord& state) { record.config = state.config = settings; });
  };
  with_settings("a", R"({"lr":1,"lora-rank":4})");
  with_settings("b", R"({"adapter":"lora:rank=4", "lr":1})");
  EXPECT_THAT(
      compare(at("a"), at("b")).differences,
      ElementsAre(Field(&Difference::field, "/config"), Field(&Difference::field, "/config")));
  const auto todays = [](const std::string& recorded) -> std::string {
    return recorded.find("lora-rank") == recorded.npos ? recorded
                                                       : R"({"lr":1,"adapter":"lora:rank=4"})";
  };
  EXPECT_THAT(compare(at("a"), at("b"), todays).differences, IsEmpty());
  with_settings("c", R"({"lr":2,"adapter":"lora:rank=4"})");
  EXPECT_THAT(compare(at("a"), at("c"), todays).differences,
              testing::Each(Field(&Difference::how, "lr: A 1, B 2")));
}

TEST_F(DifferencesTest, AnArrayIsNamedWithItsPlaceAndBothValues) {
  StateRecord state = sample_state(1);
  write_state_record(at("a.h5"), state);
  std::vector<double> s0 = state.memory.take<double>(kCurvatureName + "/s0", {20});
  s0[6] = 2.5;
  s0[0] = 0.5;
  put_flat(state.memory, kCurvatureName + "/s0", std::move(s0));
  write_state_record(at("b.h5"), state);
  EXPECT_THAT(compare(at("a.h5"), at("b.h5")).differences,
              ElementsAre(AllOf(
                  Field(&Difference::field, "/memory/curvature/empirical:scale=secant/s0"),
                  Field(&Difference::how,
                        HasSubstr("2 of 20 values, most at [6]: A 0.33333333333333331, B 2.5")))));
}

TEST_F(DifferencesTest, FewerTasksAreADifferenceAndTheRestIsCompared) {
  run("a", 3);
  run("b", 2);
  const RecordComparison comparison = compare(at("a"), at("b"));
  ASSERT_EQ(comparison.differences.size(), 1u);
  EXPECT_EQ(comparison.differences.front().field, "tasks_done");
  EXPECT_EQ(comparison.differences.front().how, "A 3, B 2");
  EXPECT_EQ(comparison.compared, "2 task records, state-0001.h5");
}

TEST_F(DifferencesTest, AnotherProcessorIsARemark) {
  StateRecord state = sample_state(1);
  write_state_record(at("a.h5"), state);
  state.numerics = "{\"lanes\": \"8\"}";
  write_state_record(at("b.h5"), state);
  const RecordComparison comparison = compare(at("a.h5"), at("b.h5"));
  EXPECT_THAT(comparison.differences, IsEmpty());
  EXPECT_THAT(comparison.remarks, ElementsAre(HasSubstr("lanes: A \"4\", B \"8\"")));
}

TEST_F(DifferencesTest, RefusesWhatIsMissingDamagedOrOfAnotherKind) {
  const RunFolder a = run("a", 1);
  run("b", 1);
  EXPECT_THAT(error_message<InputError>([&] { compare(at("a"), folder_); }),
              HasSubstr("manifest.json"));
  EXPECT_THAT(error_message<InputError>([&] { compare(a.task_file(0), a.state_file(0)); }),
              HasSubstr("palimpsest_type"));
  EXPECT_THAT(error_message<UsageError>([&] { compare(at("a"), a.state_file(0)); }),
              HasSubstr("two run folders or two files"));
  flip_bit_at(a.state_file(0), "numerics");
  EXPECT_THAT(error_message<InputError>([&] { compare(at("a"), at("b")); }),
              AllOf(HasSubstr("state-0000.h5"), HasSubstr("damaged")));
}

}  // namespace
}  // namespace palimpsest
