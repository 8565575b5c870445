#include "palimpsest/format/records.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>
#include <utility>

#include "fixtures.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/merge/curvature_memory.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class RecordsTest : public FolderTest {
 protected:
  std::filesystem::path task_path() const { return at("task.h5"); }
  std::filesystem::path state_path() const { return at("state.h5"); }
  std::string task_error() const {
    return error_message<InputError>([&] { read_task_record(task_path()); });
  }
};

std::string s0_bytes(const StateRecord& state) {
  const auto& s0 = state.memory.values<double>(kCurvatureName + "/s0", {20});
  return {reinterpret_cast<const char*>(s0.data()), 96};
}

void expect_equal(const AccuracyMatrix& a, const AccuracyMatrix& b) {
  ASSERT_EQ(a.tasks(), b.tasks());
  for (std::size_t task = 0; task < a.tasks(); ++task) {
    EXPECT_EQ(a.row(task), b.row(task));
    EXPECT_EQ(a.row_before_merge(task), b.row_before_merge(task));
  }
}

void expect_equal(const StateRecord& a, const StateRecord& b) {
  EXPECT_EQ(a.tasks_done, b.tasks_done);
  ASSERT_EQ(a.layout.modules().size(), b.layout.modules().size());
  for (std::size_t i = 0; i < a.layout.modules().size(); ++i) {
    EXPECT_EQ(a.layout.modules()[i].name, b.layout.modules()[i].name);
    EXPECT_EQ(a.layout.modules()[i].out, b.layout.modules()[i].out);
    EXPECT_EQ(a.layout.modules()[i].in, b.layout.modules()[i].in);
    EXPECT_EQ(a.layout.modules()[i].offset, b.layout.modules()[i].offset);
  }
  EXPECT_EQ(a.merged, b.merged);
  EXPECT_EQ(a.memory, b.memory);
  EXPECT_EQ(a.classes, b.classes);
  expect_equal(a.accuracy, b.accuracy);
  ASSERT_EQ(a.others.size(), b.others.size());
  for (std::size_t i = 0; i < a.others.size(); ++i) {
    EXPECT_EQ(a.others[i].classifier, b.others[i].classifier);
    expect_equal(a.others[i].accuracy, b.others[i].accuracy);
  }
  EXPECT_EQ(a.backbone_sha256, b.backbone_sha256);
  EXPECT_EQ(a.pack_content_sha256, b.pack_content_sha256);
  EXPECT_EQ(a.config, b.config);
  EXPECT_EQ(a.numerics, b.numerics);
}

// Arrays of a record, one module at a time.
class ArraysOf : public ModuleArrays {
 public:
  ArraysOf(AdaptedLayout layout, std::vector<float> values, CurvatureMemory curvature)
      : layout_(std::move(layout)), values_(std::move(values)), curvature_(std::move(curvature)) {}

  std::vector<float> floats(ModuleArray, std::size_t module) override {
    return module_of<float>(values_, module);
  }
  std::vector<double> doubles(ModuleArray array, std::size_t module) override {
    return module_of(array == ModuleArray::kS0 ? curvature_.s0() : curvature_.s1(), module);
  }
  std::string curvature() const override { return curvature_.size() > 0 ? kCurvatureName : ""; }

 private:
  template <typename T>
  std::vector<T> module_of(std::span<const T> all, std::size_t module) const {
    const AdaptedModule& m = layout_.modules()[module];
    return {all.begin() + m.offset, all.begin() + m.offset + m.size()};
  }

  AdaptedLayout layout_;
  std::vector<float> values_;
  CurvatureMemory curvature_;
};

TEST_F(RecordsTest, WhatIsWrittenModuleByModuleIsTheSameRecord) {
  TaskRecord task = sample_task(2);
  const std::string hash = write_task_record(task_path(), task);
  const TaskSummary whole = read_task_summary(task_path());
  ArraysOf fisher(adapter_layout(task.lora), std::exchange(task.fisher->values, {}),
                  CurvatureMemory(0));
  EXPECT_EQ(write_task_record(task_path(), task, &fisher), hash);
  EXPECT_EQ(read_task_record(task_path()), sample_task(2));
  const TaskSummary in_parts = read_task_summary(task_path());
  for (std::size_t m = 0; m < whole.modules.size(); ++m)
    EXPECT_EQ(in_parts.modules[m].fisher_sum, whole.modules[m].fisher_sum);

  StateRecord state = sample_state(2);
  const std::string state_hash = write_state_record(state_path(), state);
  const std::optional<double> norm = read_state_summary(state_path()).norm_merged;
  ArraysOf arrays(state.layout, std::exchange(state.merged, {}),
                  take_curvature(state.memory, kCurvatureName));
  EXPECT_EQ(write_state_record(state_path(), state, &arrays), state_hash);
  expect_equal(read_state_record(state_path()), sample_state(2));
  EXPECT_EQ(read_state_summary(state_path()).norm_merged, norm);
}

TEST_F(RecordsTest, AModuleThatIsNotFiniteIsNotWritten) {
  StateRecord state = sample_state(2);
  std::vector<float> merged = std::exchange(state.merged, {});
  merged.back() = std::numeric_limits<float>::infinity();
  ArraysOf arrays(state.layout, merged, take_curvature(state.memory, kCurvatureName));
  EXPECT_THAT(error_message<Error>([&] { write_state_record(state_path(), state, &arrays); }),
              HasSubstr("finite"));
  EXPECT_FALSE(std::filesystem::exists(state_path()));
}

TEST_F(RecordsTest, TaskComesBackBitForBit) {
  const TaskRecord record = sample_task(2);
  const std::string hash = write_task_record(task_path(), record);
  EXPECT_TRUE(read_task_record(task_path()) == record);
  const FileIdentity identity = read_identity(task_path());
  EXPECT_EQ(identity.type, "task");
  EXPECT_EQ(identity.version, "3.1.0");
  EXPECT_THAT(identity.writer, testing::StartsWith("palimpsest "));
  EXPECT_EQ(identity.content_sha256, hash);
}

TEST_F(RecordsTest, TaskOfAFrozenBackboneComesBack) {
  const TaskRecord record = frozen_task(0);
  write_task_record(task_path(), record);
  EXPECT_TRUE(read_task_record(task_path()) == record);
  EXPECT_TRUE(read_task_summary(task_path()).modules.empty());
}

TEST_F(RecordsTest, StateComesBackBitForBit) {
  const StateRecord record = sample_state(11);
  write_state_record(state_path(), record);
  expect_equal(read_state_record(state_path()), record);
}

TEST_F(RecordsTest, StateWithoutAdapterAndCurvatureComesBack) {
  const StateRecord record = frozen_state(1);
  write_state_record(state_path(), record);
  expect_equal(read_state_record(state_path()), record);
}

TEST_F(RecordsTest, EqualRecordsAreEqualFilesWheneverTheyAreWritten) {
  write_task_record(at("a.h5"), sample_task(1));
  write_state_record(at("c.h5"), sample_state(2));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5's times count seconds
  write_task_record(at("b.h5"), sample_task(1));
  write_state_record(at("d.h5"), sample_state(2));
  EXPECT_TRUE(read_bytes(at("a.h5")) == read_bytes(at("b.h5")));
  EXPECT_TRUE(read_bytes(at("c.h5")) == read_bytes(at("d.h5")));
}

TEST_F(RecordsTest, ContentHashIgnoresSecondsAndNumericsButNoWeight) {
  TaskRecord record = sample_task(1);
  const std::string hash = write_task_record(task_path(), record);
  record.metrics.seconds_train += 1;
  EXPECT_EQ(write_task_record(task_path(), record), hash);
  record.lora[1].b[0] = std::nextafter(record.lora[1].b[0], 1.0f);
  EXPECT_NE(write_task_record(task_path(), record), hash);

  StateRecord state = sample_state(1);
  const std::string state_hash = write_state_record(state_path(), state);
  state.numerics = "{\"lanes\": \"4\", \"threads\": 2}";
  EXPECT_EQ(write_state_record(state_path(), state), state_hash);
  put_flat(state.memory, kCurvatureName + "/s1", std::vector<double>(20, 1e-18));
  EXPECT_NE(write_state_record(state_path(), state), state_hash);
}

TEST_F(RecordsTest, TaskSummaryHasEverythingButBulkData) {
  const TaskRecord record = sample_task(1);
  const std::string hash = write_task_record(task_path(), record);
  const TaskSummary summary = read_task_summary(task_path());
  EXPECT_EQ(summary.identity.type, "task");
  EXPECT_EQ(summary.identity.content_sha256, hash);
  EXPECT_TRUE(summary.finite);
  EXPECT_EQ(summary.record.classes, record.classes);
  EXPECT_EQ(summary.record.merge, record.merge);
  EXPECT_EQ(summary.record.metrics, record.metrics);
  EXPECT_EQ(summary.record.head.features, 3);
  EXPECT_TRUE(summary.record.head.weight.empty());
  EXPECT_EQ(summary.record.fisher->factor, record.fisher->factor);
  EXPECT_TRUE(summary.record.fisher->values.empty());
  ASSERT_EQ(summary.modules.size(), 2u);
  EXPECT_EQ(summary.modules[1].module, "encoder.layer.0.value");
  EXPECT_EQ(summary.modules[0].rank, 2);
}

TEST_F(RecordsTest, StateSummaryHasEverythingButBulkData) {
  StateRecord record = sample_state(3);
  const std::string hash = write_state_record(state_path(), record);
  const StateSummary summary = read_state_summary(state_path());
  EXPECT_EQ(summary.identity.type, "state");
  EXPECT_EQ(summary.identity.content_sha256, hash);
  EXPECT_EQ(summary.memory.size(), record.memory.names().size());
  const TensorSummary& s0 = summary.memory.at(6);
  EXPECT_EQ(s0.name, kCurvatureName + "/s0");
  EXPECT_EQ(s0.type, "float64");
  EXPECT_EQ(s0.dims, TensorDims{20});
  EXPECT_EQ(s0.bytes, 160u);
  EXPECT_EQ(s0.keeper, Keeper::kRoot);
  double squares = 0;
  for (const double value : record.merged) squares += value * value;
  EXPECT_NEAR(summary.norm_merged.value(), std::sqrt(squares), 1e-14);
  record.merged.clear();
  record.memory = {};
  expect_equal(summary.record, record);
}

TEST_F(RecordsTest, StateSummaryOfAFrozenBackboneHasHeadsAlone) {
  write_state_record(state_path(), frozen_state(1));
  const StateSummary summary = read_state_summary(state_path());
  EXPECT_FALSE(summary.norm_merged.has_value());
  ASSERT_EQ(summary.memory.size(), 2u);
  EXPECT_EQ(summary.memory[0].name, "head/cosine:scale=16.5/0/bias");
}

TEST_F(RecordsTest, StateSummaryDoesNotReadBulkData) {
  const StateRecord record = sample_state(1);
  write_state_record(state_path(), record);
  flip_bit_at(state_path(), s0_bytes(record), 95);
  EXPECT_EQ(read_state_summary(state_path()).record.tasks_done, 1);
}

TEST_F(RecordsTest, StatisticsAreTheNormsOfTheFactorsAndOfTheirProduct) {
  const TaskRecord record = sample_task(0);
  write_task_record(task_path(), record);
  const ModuleStatistics found = read_task_summary(task_path()).modules[0];
  const LoraFactors& lora = record.lora[0];
  double a = 0, b = 0, delta = 0, mass = 0;
  for (const double value : lora.a) a += value * value;
  for (const double value : lora.b) b += value * value;
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) {
      double product = 0;
      for (std::size_t k = 0; k < 2; ++k) {
        product += double{lora.b[row * 2 + k]} * lora.a[k * 4 + column];
      }
      delta += 0.25 * product * product;
    }
  }
  for (std::size_t i = 0; i < 12; ++i) mass += record.fisher->values[i];
  EXPECT_NEAR(found.norm_a, std::sqrt(a), 1e-14);
  EXPECT_NEAR(found.norm_b, std::sqrt(b), 1e-14);
  EXPECT_NEAR(found.norm_delta, std::sqrt(delta), 1e-14);
  EXPECT_NEAR(found.fisher_sum, mass, 1e-14);
}

TEST_F(RecordsTest, RefusesToWriteWhatDoesNotFitTogether) {
  const auto refusal = [&](const std::function<void(TaskRecord&)>& damage) {
    TaskRecord record = sample_task(1);
    damage(record);
    const std::string message =
        error_message<Error>([&] { write_task_record(task_path(), record); });
    EXPECT_FALSE(std::filesystem::exists(task_path()));
    return message;
  };
  EXPECT_THAT(refusal([](TaskRecord& r) { r.lora[0].a[0] = std::nanf(""); }),
              AllOf(HasSubstr("/lora/encoder.layer.0.key/A"), HasSubstr("not finite")));
  EXPECT_THAT(refusal([](TaskRecord& r) { r.lora[0].b.pop_back(); }),
              HasSubstr("/B: expected values of the shape [out = 3, r = 2], found 5"));
  EXPECT_THAT(refusal([](TaskRecord& r) { std::swap(r.lora[0], r.lora[1]); }),
              HasSubstr("order of names"));
  EXPECT_THAT(refusal([](TaskRecord& r) { r.lora[0].module = "a/b"; }), HasSubstr("a/b"));
  EXPECT_THAT(refusal([](TaskRecord& r) { r.fisher->values.pop_back(); }),
              HasSubstr("/fisher: expected 20 values, one for each adapted weight, found 19"));
  EXPECT_THAT(refusal([](TaskRecord& r) { r.head.bias.pop_back(); }),
              HasSubstr("/head/bias: expected values of the shape [c = 2], found 1"));
  EXPECT_THAT(
      refusal([](TaskRecord& r) { r.metrics.after_merge = {}; }),
      HasSubstr("/metrics/after_merge/samples: expected values of the shape [index + 1 = 2]"));
  StateRecord state = sample_state(2);
  state.memory.erase("head/linear");
  EXPECT_THAT(error_message<Error>([&] { write_state_record(state_path(), state); }),
              HasSubstr("1 heads for 2 tasks"));
  const auto state_error = [&](const std::function<void(StateRecord&)>& damage) {
    StateRecord record = sample_state(2);
    damage(record);
    return error_message<Error>([&] { write_state_record(state_path(), record); });
  };
  const auto head_error = [&](std::int64_t task, const std::function<void(Head&)>& damage) {
    return state_error([&](StateRecord& r) {
      std::vector<Head> heads = heads_in(r.memory);
      damage(heads.at(static_cast<std::size_t>(task)));
      put_heads(r.memory, std::move(heads));
    });
  };
  EXPECT_THAT(head_error(1, [](Head& head) { head.kind.clear(); }),
              AllOf(HasSubstr("task 1"), HasSubstr("a name")));
  EXPECT_THAT(head_error(0, [](Head& head) { head.scale = 0; }), HasSubstr("scale 0"));
  const auto memory_error = [&](const std::function<void(NamedTensors&)>& damage) {
    return state_error([&](StateRecord& r) { damage(r.memory); });
  };
  EXPECT_THAT(memory_error([](NamedTensors& m) { m.erase("head/linear/1/bias"); }),
              HasSubstr("head/linear/1/bias: expected this tensor, found none"));
  EXPECT_THAT(memory_error([](NamedTensors& m) { put_head(m, 0, heads_in(m).at(1)); }),
              HasSubstr("expected one of head/cosine:scale=16.5/0 and head/linear/0, found both"));
  EXPECT_THAT(memory_error([](NamedTensors& m) { m.erase("head/cosine:scale=16.5"); }),
              HasSubstr("head/linear/1: expected task 0 before it"));
  EXPECT_THAT(memory_error([](NamedTensors& m) {
                m.put("head/linear/two/bias", m.at("head/linear/1/bias"));
              }),
              HasSubstr("head/linear/two/bias: expected the number of a task"));
  EXPECT_THAT(memory_error([](NamedTensors& m) { m.erase(kCurvatureName + "/s1"); }),
              HasSubstr(kCurvatureName + "/s1: expected this tensor, found none"));
  EXPECT_THAT(memory_error([](NamedTensors& m) {
                put_flat(m, kCurvatureName + "/s0", std::vector<double>(19));
              }),
              HasSubstr("expected float64 [20], found float64 [19]"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "a temporary file stayed behind";
}

TEST_F(RecordsTest, RefusesAFileCutAtAnyLength) {
  write_task_record(task_path(), sample_task(0));
  const std::string whole = read_bytes(task_path());
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{7}, std::size_t{95}, std::size_t{800}, whole.size() / 2,
        whole.size() - 4096, whole.size() - 1}) {
    write_bytes(task_path(), whole.substr(0, length));
    EXPECT_THAT(task_error(), HasSubstr("task.h5")) << length;
  }
}

TEST_F(RecordsTest, RefusesFlippedBitsInBulkData) {
  const TaskRecord record = sample_task(0);
  write_task_record(task_path(), record);
  flip_bit_at(task_path(), std::string(reinterpret_cast<const char*>(record.lora[0].a.data()), 32),
              13);
  EXPECT_THAT(task_error(), AllOf(HasSubstr("/lora/encoder.layer.0.key/A"), HasSubstr("CRC-32C"),
                                  HasSubstr("flipped bits")));

  const StateRecord state = sample_state(1);
  write_state_record(state_path(), state);
  flip_bit_at(state_path(), s0_bytes(state), 95);
  EXPECT_THAT(
      error_message<InputError>([&] { read_state_record(state_path()); }),
      AllOf(HasSubstr("/memory/curvature/empirical:scale=secant/s0"), HasSubstr("CRC-32C")));
}

TEST_F(RecordsTest, RefusesFlippedBitsInMetadata) {
  const auto refusal = [&](const std::string& pattern) {
    write_task_record(task_path(), sample_task(0));
    flip_bit_at(task_path(), pattern);
    return task_error();
  };
  for (const std::string& pattern :
       {std::string("all-MiniLM"), std::string("weight"), std::string("content_sha256"),
        little_endian<double>({3.25e7})}) {
    EXPECT_THAT(refusal(pattern), HasSubstr("incorrect metadata checksum")) << pattern;
  }
}

TEST_F(RecordsTest, RefusesAChangedAttribute) {
  write_task_record(task_path(), sample_task(0));
  change_hdf5(task_path(),
              [](hid_t file) { replace_text_attribute(file, "/base", "name", "another-model"); });
  EXPECT_THAT(task_error(), HasSubstr("content_sha256"));
}

TEST_F(RecordsTest, RefusesAnotherKindOfRecord) {
  write_state_record(state_path(), sample_state(1));
  EXPECT_THAT(error_message<InputError>([&] { read_task_record(state_path()); }),
              AllOf(HasSubstr("palimpsest_type"), HasSubstr("\"task\""), HasSubstr("\"state\"")));
}

TEST_F(RecordsTest, RefusesMissingMisshapenAndAddedObjects) {
  const auto refusal = [&](const std::function<void(hid_t)>& change) {
    write_task_record(task_path(), sample_task(0));
    change_hdf5(task_path(), change);
    return task_error();
  };
  EXPECT_THAT(refusal([](hid_t file) { H5Ldelete(file, "/head/bias", H5P_DEFAULT); }),
              HasSubstr("content_sha256"));
  EXPECT_THAT(refusal([](hid_t file) { replace_dataset(file, "/head/bias", H5T_IEEE_F32LE, {5}); }),
              HasSubstr("content_sha256"));
  EXPECT_THAT(refusal([](hid_t file) { replace_dataset(file, "/extra", H5T_IEEE_F32LE, {5}); }),
              HasSubstr("content_sha256"));
  EXPECT_THAT(refusal([](hid_t file) { H5Adelete(file, "content_sha256"); }),
              AllOf(HasSubstr("/@content_sha256"), HasSubstr("found none")));
}

TEST_F(RecordsTest, SummariesNameAMissingObject) {
  write_task_record(task_path(), sample_task(0));
  change_hdf5(task_path(), [](hid_t file) { H5Ldelete(file, "/config", H5P_DEFAULT); });
  EXPECT_THAT(error_message<InputError>([&] { read_task_summary(task_path()); }),
              AllOf(HasSubstr("/config"), HasSubstr("found none")));
  write_state_record(state_path(), sample_state(2));
  change_hdf5(state_path(), [](hid_t file) { H5Ldelete(file, "/classes", H5P_DEFAULT); });
  EXPECT_THAT(error_message<InputError>([&] { read_state_summary(state_path()); }),
              AllOf(HasSubstr("/classes"), HasSubstr("found none")));
}

// A hash that is right says nothing about objects that are missing: the file may come from another
// program.
TEST_F(RecordsTest, RefusesAWellHashedFileThatIsNoWholeRecord) {
  H5Writer file(task_path(), "task");
  file.number<std::int64_t>("/task@index", 0);
  file.finish();
  EXPECT_THAT(task_error(), AllOf(HasSubstr("/task@name"), HasSubstr("found none")));
}

}  // namespace
}  // namespace palimpsest
