// An array that a part adds to its memory is saved, hashed, compared, verified and shown by what
// knows nothing of the part.
#include <nlohmann/json.hpp>

#include "fixtures.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/differences.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/format/verify.h"
#include "palimpsest/report/views.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class MemoryTest : public FolderTest {
 protected:
  // With an array of a part that nothing has described.
  static StateRecord toy_state(std::vector<std::int64_t> values = {1, 2, 3, 4}) {
    StateRecord state = sample_state(2);
    state.memory.put("classifier/toy/gram", {.dims = {2, 2}, .values = std::move(values)});
    state.memory.put("classifier/toy:size=2/sums/0/count",
                     {.dims = {}, .values = std::vector<double>{3}, .keeper = Keeper::kRoot});
    return state;
  }
  std::filesystem::path path() const { return at("state.h5"); }
};

TEST_F(MemoryTest, AnUnknownArrayComesBackAsItWas) {
  const StateRecord state = toy_state();
  write_state_record(path(), state);
  EXPECT_EQ(read_state_record(path()).memory, state.memory);
  EXPECT_THAT(verify(path()).problems, IsEmpty());
}

TEST_F(MemoryTest, ItsValuesShapeAndKeeperAreHashed) {
  const std::string hash = write_state_record(path(), toy_state());
  EXPECT_NE(write_state_record(path(), toy_state({1, 2, 3, 5})), hash);
  EXPECT_NE(write_state_record(path(), sample_state(2)), hash);
  StateRecord state = toy_state();
  state.memory.put("classifier/toy/gram",
                   {.dims = {4}, .values = std::vector<std::int64_t>{1, 2, 3, 4}});
  EXPECT_NE(write_state_record(path(), state), hash);
  state = toy_state();
  state.memory.put(
      "classifier/toy/gram",
      {.dims = {2, 2}, .values = std::vector<std::int64_t>{1, 2, 3, 4}, .keeper = Keeper::kRoot});
  EXPECT_NE(write_state_record(path(), state), hash);
}

TEST_F(MemoryTest, ADifferenceInItIsNamed) {
  write_state_record(at("a.h5"), toy_state());
  write_state_record(at("b.h5"), toy_state({1, 2, 3, 5}));
  EXPECT_THAT(compare(at("a.h5"), at("b.h5")).differences,
              ElementsAre(AllOf(
                  testing::Field(&Difference::field, "/memory/classifier/toy/gram"),
                  testing::Field(&Difference::how, "1 of 4 values, most at [1, 1]: A 4, B 5"))));
}

TEST_F(MemoryTest, InspectListsIt) {
  write_state_record(path(), toy_state());
  const View view = make_view(path());
  EXPECT_THAT(view.text, HasSubstr("classifier/toy/gram"));
  const auto memory = nlohmann::json::parse(view.json).at("memory");
  EXPECT_THAT(memory, testing::Contains(nlohmann::json{{"name", "classifier/toy/gram"},
                                                       {"shape", {2, 2}},
                                                       {"type", "int64"},
                                                       {"bytes", 32},
                                                       {"keeper", "every rank"}}));
}

TEST_F(MemoryTest, ItsDamageIsNamed) {
  write_state_record(path(), toy_state());
  change_hdf5(path(), [](hid_t file) {
    replace_dataset(file, "/memory/classifier/toy/gram", H5T_STD_I64LE, {2, 2});
  });
  EXPECT_THAT(verify(path()).problems,
              testing::Contains(HasSubstr(
                  "/memory/classifier/toy/gram@keeper: expected this attribute, found none")));
  write_state_record(path(), toy_state());
  change_hdf5(path(), [](hid_t file) {
    replace_text_attribute(file, "/memory/classifier/toy/gram", "keeper", "someone");
  });
  EXPECT_THAT(error_message<InputError>([&] { read_state_summary(path()); }),
              AllOf(HasSubstr("/memory/classifier/toy/gram@keeper"), HasSubstr("\"someone\"")));
  write_state_record(path(), toy_state());
  change_hdf5(path(), [](hid_t file) {
    replace_dataset(file, "/memory/classifier/toy/gram", H5T_STD_U8LE, {2, 2});
  });
  EXPECT_THAT(error_message<InputError>([&] { read_state_summary(path()); }),
              HasSubstr("expected f4, f8 or i8, found u1"));
}

// Of three tasks with two, three and three classes.
class MemoryOfTasksTest : public MemoryTest {
 protected:
  static StateRecord state_of_tasks() {
    StateRecord state = sample_state(3);
    state.memory.erase("head");
    for (std::int64_t task = 0; task < 3; ++task) {
      std::vector<std::string>& classes = state.classes[task];
      if (task > 0) classes.push_back(concat("third ", task));
      put_head(state.memory, task, head_of(std::ssize(classes), static_cast<float>(task)));
      state.memory.put(concat("classifier/toy/", task, "/norm"),
                       {.dims = {1}, .values = std::vector<double>{0.5 + task}});
      // Of another number of rows than a task has classes.
      state.memory.put(concat("classifier/toy/", task, "/directions"),
                       {.dims = {4}, .values = std::vector<std::int64_t>{1, 2, 3, task}});
    }
    for (std::int64_t task = 0; task < 2; ++task)  // not every task has it
      state.memory.put(concat("classifier/toy/", task, "/drift"),
                       {.dims = {1}, .values = std::vector<double>{1}});
    return state;
  }
  static Head head_of(std::int64_t classes, float first) {
    Head head{.classes = classes, .features = 3, .weight = {}, .bias = {}};
    for (std::int64_t i = 0; i < 3 * classes; ++i)
      head.weight.push_back(first + 0.1f * static_cast<float>(i));
    head.bias.assign(head.weight.begin(), head.weight.begin() + classes);
    return head;
  }
};

TEST_F(MemoryOfTasksTest, WhatEveryTaskHasIsOneArrayOfTheFile) {
  const StateRecord state = state_of_tasks();
  write_state_record(path(), state);
  EXPECT_THAT(verify(path()).problems, IsEmpty());
  {
    const H5File file(path(), "state");
    EXPECT_EQ(file.numbers<std::int64_t>("/class_counts", {3}),
              std::vector<std::int64_t>({2, 3, 3}));
    EXPECT_EQ(file.open("/classes").dims, H5Dims({8}));
    EXPECT_EQ(file.open("/memory_by_class/head/linear/weight").dims, H5Dims({8, 3}));
    EXPECT_EQ(file.open("/memory_by_class/head/linear/bias").dims, H5Dims({8}));
    EXPECT_EQ(file.numbers<double>("/memory_by_task/classifier/toy/norm", {3}),
              std::vector<double>({0.5, 1.5, 2.5}));
    EXPECT_FALSE(file.has("/memory/head"));
    EXPECT_TRUE(file.has("/memory/classifier/toy/2/directions"));
    EXPECT_TRUE(file.has("/memory/classifier/toy/1/drift"));
  }
  const StateRecord read = read_state_record(path());
  EXPECT_EQ(read.memory, state.memory);
  EXPECT_EQ(read.classes, state.classes);
  EXPECT_EQ(heads_in(read_state_heads(path()).memory), heads_in(state.memory));
  const StateSummary summary = read_state_summary(path());
  std::vector<std::string> names;
  for (const TensorSummary& tensor : summary.memory) names.push_back(tensor.name);
  EXPECT_EQ(names, state.memory.names());
  EXPECT_THAT(summary.memory, testing::Contains(testing::AllOf(
                                  testing::Field(&TensorSummary::name, "head/linear/1/weight"),
                                  testing::Field(&TensorSummary::dims, TensorDims({3, 3})),
                                  testing::Field(&TensorSummary::bytes, 36))));
}

TEST_F(MemoryOfTasksTest, TheSameObjectsAfterMoreTasks) {
  const auto objects_after = [&](std::int64_t tasks) {
    StateRecord state = sample_state(tasks);
    state.memory.erase("head");
    for (std::int64_t task = 0; task < tasks; ++task) put_head(state.memory, task, head_of(2, 0));
    write_state_record(path(), state);
    return H5File(path(), "state").paths();
  };
  const std::set<std::string> after_one = objects_after(1);
  EXPECT_EQ(objects_after(12), after_one);
}

TEST_F(MemoryOfTasksTest, RowsThatAreNotThoseOfTheTasksAreNamed) {
  write_state_record(path(), state_of_tasks());
  change_hdf5(path(), [](hid_t file) {
    replace_dataset(file, "/memory_by_class/head/linear/bias", H5T_IEEE_F32LE, {7});
  });
  EXPECT_THAT(error_message<InputError>([&] { read_state_summary(path()); }),
              AllOf(HasSubstr("/memory_by_class/head/linear/bias"), HasSubstr("keeper")));
  change_hdf5(path(), [](hid_t file) {
    const H5Handle bias(H5Dopen2(file, "/memory_by_class/head/linear/bias", H5P_DEFAULT));
    H5Ocopy(file, "/memory_by_class/head/linear/weight", file, "/copy", H5P_DEFAULT, H5P_DEFAULT);
    H5Ldelete(file, "/memory_by_class/head/linear/bias", H5P_DEFAULT);
    H5Lmove(file, "/copy", file, "/memory_by_task/head", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(error_message<InputError>([&] { read_state_summary(path()); }),
              AllOf(HasSubstr("/memory_by_task/head"),
                    HasSubstr("expected [3, ...]: rows of 3 tasks, found [8,3]")));
  write_state_record(path(), state_of_tasks());
  change_hdf5(path(),
              [](hid_t file) { replace_dataset(file, "/class_counts", H5T_STD_I64LE, {3}); });
  EXPECT_THAT(error_message<InputError>([&] { read_state_summary(path()); }),
              AllOf(HasSubstr("/class_counts"), HasSubstr("1 or more")));
  for (const std::vector<std::int64_t>& counts :
       {std::vector<std::int64_t>{100'000'000, -99'999'994, 2},
        {INT64_MAX, INT64_MAX, 10},
        {2, 2, 2}}) {
    change_hdf5(path(), [&](hid_t file) {
      const H5Handle found(H5Dopen2(file, "/class_counts", H5P_DEFAULT));
      H5Dwrite(found.get(), H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, counts.data());
      H5Adelete(found.get(), "crc32c");
    });
    EXPECT_THAT(verify(path()).problems, testing::Contains(HasSubstr("/class_counts")));
    EXPECT_THAT(error_message<InputError>([&] { read_state_summary(path()); }),
                HasSubstr("/class_counts"));
  }
}

TEST_F(MemoryTest, ANumberThatIsNotFiniteIsNotWritten) {
  StateRecord state = sample_state(1);
  state.memory.put("classifier/toy/gram",
                   {.dims = {1}, .values = std::vector<double>{std::nan("")}});
  EXPECT_THAT(error_message<Error>([&] { write_state_record(path(), state); }),
              AllOf(HasSubstr("/memory/classifier/toy/gram"), HasSubstr("not finite")));
}

// Its names are those that a state of this version would have.
TEST(MemoryOfVersion1Test, IsReadAsThatOfThisVersion) {
  const RunFolder run(PALIMPSEST_SOURCE_DIR "/checkpoints_schema/golden/1.2.0/run");
  const StateRecord state = run.newest_state().value().record;
  const auto size = state.layout.size();
  EXPECT_EQ(state.memory.values<double>(kCurvatureName + "/s0", {size}).size(),
            static_cast<std::size_t>(size));
  EXPECT_EQ(state.memory.at(kCurvatureName + "/s1").keeper, Keeper::kRoot);
  // S0 of the first module, as the file has it.
  const H5File file(run.state_file(1), "state");
  const AdaptedModule& module = state.layout.modules()[1];
  const auto expected =
      file.numbers<double>("/curvature/s0/" + module.name, {module.out, module.in});
  const auto& s0 = state.memory.values<double>(kCurvatureName + "/s0", {size});
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), s0.begin() + module.offset));
  const std::vector<Head> heads = heads_in(state.memory);
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_EQ(heads[1].weight,
            file.numbers<float>("/heads/1/weight", {heads[1].classes, heads[1].features}));
  const StateSummary summary = read_state_summary(run.state_file(1));
  EXPECT_EQ(summary.memory.size(), state.memory.names().size());
}

}  // namespace
}  // namespace palimpsest
