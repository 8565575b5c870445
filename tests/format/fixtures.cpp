#include "fixtures.h"

#include <unistd.h>

#include <fstream>
#include <random>
#include <span>
#include <sstream>

#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "support/scored_row.h"

// HDF5 leaks when it meets a damaged object header; that is not ours to fix.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

namespace palimpsest {
namespace {

std::vector<float> ramp(std::int64_t size, float start) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < size; ++i) values.push_back(start + 0.1f * static_cast<float>(i));
  return values;
}

EvaluationRow sample_row(std::int64_t tasks, std::int64_t correct) {
  const auto size = static_cast<std::size_t>(tasks);
  return counted(Counts(size, 50), Counts(size, correct), Counts(size, correct + 1));
}

Head sample_head() { return {2, 3, ramp(6, -0.25f), ramp(2, 1.5f)}; }

Head cosine_head() { return {2, 3, ramp(6, -0.25f), {0, 0}, "cosine", 16.5}; }

}  // namespace

FolderTest::FolderTest() {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  folder_ = std::filesystem::temp_directory_path() /
            concat("palimpsest_format_", getpid(), "_", test->name());
  std::filesystem::create_directories(folder_);
}

FolderTest::~FolderTest() { std::filesystem::remove_all(folder_); }

void put_flat(NamedTensors& memory, const std::string& name, std::vector<double> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  memory.put(name, {.dims = {size}, .values = std::move(values), .keeper = Keeper::kRoot});
}

TaskRecord sample_task(std::int64_t index) {
  TaskRecord record;
  record.index = index;
  record.name = concat("task ", index + 1);
  record.classes = {"admin", "jeu vidéo"};
  record.train_samples = 120;
  record.seed = UINT64_MAX - 1;
  record.backbone_name = "all-MiniLM-L6-v2";
  record.backbone_sha256 = std::string(64, 'a');
  record.pack_content_sha256 = std::string(64, 'b');
  record.config = "{\"note\": \"" + std::string(100'000, 'x') + "\"}";
  record.lora = {{"encoder.layer.0.key", 3, 4, 2, 0.5, ramp(8, 0.1f), ramp(6, -0.2f)},
                 {"encoder.layer.0.value", 2, 4, 1, 1.0, ramp(4, 0.7f), ramp(2, -1e-30f)}};
  record.head = sample_head();
  record.fisher = {"empirical-per-sample", 120, "test", "secant", 3.25e7, ramp(20, 1e-9f)};
  record.merge.rule = "{\"rule\":\"closed-form\"}";
  record.merge.coefficients = {0.1};
  record.merge.alpha_unclamped = 1.0 / 3.0;
  record.merge.numerator = 1e-300;
  record.merge.module_numerators = {0.25, -0.5};
  record.merge.module_denominators = {1, 2};
  record.merge.weights_before = std::string(64, 'c');
  record.merge.weights_after = std::string(64, 'd');
  record.metrics.before_merge = sample_row(index + 1, 40);
  record.metrics.after_merge = sample_row(index + 1, 35);
  record.metrics.classifier = "local";
  for (const char* const name : {"ridge:projection=8,lambda=1", "gaussian"})
    record.metrics.others.push_back(
        {name, sample_row(index + 1, 20), sample_row(index + 1, name[0] == 'r' ? 25 : 15)});
  record.metrics.loss_first_step = 1.75;
  record.metrics.loss_last_pass = 0.125;
  record.metrics.loss_merged_before = 2;
  record.metrics.loss_trained = 0.0625;
  record.metrics.seconds_train = 12.5;
  return record;
}

StateRecord sample_state(std::int64_t tasks_done) {
  StateRecord record;
  record.tasks_done = tasks_done;
  record.layout = AdaptedLayout({{"m.value", 2, 4}, {"m.key", 3, 4}});
  record.merged = ramp(20, -1.0f);
  put_flat(record.memory, kCurvatureName + "/s0", std::vector<double>(20, 1.0 / 3.0));
  put_flat(record.memory, kCurvatureName + "/s1", std::vector<double>(20, -1e-17));
  for (std::int64_t task = 0; task < tasks_done; ++task) {
    put_head(record.memory, task, task == 0 ? cosine_head() : sample_head());
    for (const char* const name : {"mean", "variance"}) {
      record.memory.put(concat("classifier/local/", task, '/', name),
                        {.dims = {2, 3}, .values = ramp(6, name[0] == 'm' ? 0.5f : 0)});
    }
    record.classes.push_back({concat("class ", task), concat("other ", task)});
    record.accuracy.add_row(sample_row(task + 1, 30 + task), sample_row(task + 1, 40));
  }
  for (const ClassifierRows& rows : sample_task(0).metrics.others) {
    AccuracyMatrix accuracy;
    for (std::int64_t task = 0; task < tasks_done; ++task)
      accuracy.add_row(rows_by(sample_task(task).metrics, rows.classifier)->after_merge,
                       rows_by(sample_task(task).metrics, rows.classifier)->before_merge);
    record.others.push_back({rows.classifier, std::move(accuracy)});
  }
  record.backbone_sha256 = std::string(64, 'a');
  record.pack_content_sha256 = std::string(64, 'b');
  record.config = "{\"epochs\": 10}";
  record.numerics = "{\"lanes\": \"4\"}";
  return record;
}

MergedRecord sample_merged() {
  const StateRecord state = sample_state(2);
  return {.layout = state.layout,
          .weights = state.merged,
          .rule = "{\"name\":\"closed-form\"}",
          .sources = "{\"run\":\"runs/r\",\"tasks\":[]}",
          .post_hoc = "post hoc: task 2 is left out",
          .task_names = {"task 1", "task 3"},
          .classes = state.classes,
          .heads = heads_in(state.memory),
          .backbone_sha256 = state.backbone_sha256,
          .backbone_shape_sha256 = std::string(64, 'f'),
          .pack_content_sha256 = state.pack_content_sha256,
          .config = state.config};
}

CurvatureRecord sample_curvature() {
  return {.layout = AdaptedLayout({{"m.value", 2, 4}, {"m.key", 3, 4}}),
          .values = ramp(20, 1e-9f),
          .kind = "empirical-per-sample",
          .samples = 120,
          .factor = 3.25e7,
          .base_sha256 = std::string(64, 'a')};
}

StepRecord sample_step(std::int64_t task, std::int64_t steps_done) {
  StepRecord record;
  TaskProgress& progress = record.progress;
  progress.task = task;
  progress.steps_done = steps_done;
  progress.steps = 400;
  progress.updates = steps_done - 1;
  const TaskRecord done = sample_task(task);
  progress.parameters = {done.lora, cosine_head()};
  progress.first_moment = {done.lora, done.head};
  progress.second_moment = {done.lora, done.head};
  progress.first_moment.lora.front().a.front() = -3e-9f;
  progress.second_moment.head.bias.front() = 1e-30f;
  progress.loss_first_step = 2.25;
  progress.loss_sum_last_pass = 1.0 / 3;
  progress.predictions_last_pass = 30;
  progress.seconds = 12.5;
  record.task_sha256 = std::string(64, 'e');
  record.backbone_sha256 = std::string(64, 'a');
  record.backbone_shape_sha256 = std::string(64, 'f');
  record.pack_content_sha256 = std::string(64, 'b');
  record.config = "{\"epochs\": 10}";
  record.numerics = "{\"lanes\": \"4\"}";
  return record;
}

TaskRecord frozen_task(std::int64_t index) {
  TaskRecord record = sample_task(index);
  record.lora.clear();
  record.fisher.reset();
  record.merge = {};
  return record;
}

StateRecord frozen_state(std::int64_t tasks_done) {
  StateRecord record = sample_state(tasks_done);
  record.layout = AdaptedLayout();
  record.merged.clear();
  record.memory.erase("curvature");
  record.memory.erase("classifier");
  return record;
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void each_flip(const std::filesystem::path& path, const std::function<void()>& check) {
  const std::string whole = read_bytes(path);
  std::mt19937 random(1);
  std::uniform_int_distribution<std::size_t> place(0, whole.size() * 8 - 1);
  for (int flip = 0; flip < kFlips; ++flip) {
    const std::size_t bit = place(random);
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    write_bytes(path, damaged);
    SCOPED_TRACE(concat("bit ", bit));
    check();
  }
  write_bytes(path, whole);
}

void flip_bit_at(const std::filesystem::path& path, const std::string& pattern,
                 std::size_t offset) {
  std::string bytes = read_bytes(path);
  const std::size_t found = bytes.find(pattern);
  ASSERT_NE(found, std::string::npos);
  bytes[found + offset] = static_cast<char>(bytes[found + offset] ^ 1);
  write_bytes(path, bytes);
}

void change_hdf5(const std::filesystem::path& path, const std::function<void(hid_t)>& change) {
  const H5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT));
  ASSERT_TRUE(file);
  change(file.get());
}

void replace_text_attribute(hid_t file, const char* object, const char* name,
                            const std::string& value) {
  const H5Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.get(), value.size());
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  const H5Handle space(H5Screate(H5S_SCALAR));
  H5Adelete_by_name(file, object, name, H5P_DEFAULT);
  const H5Handle made(H5Acreate_by_name(file, object, name, type.get(), space.get(), H5P_DEFAULT,
                                        H5P_DEFAULT, H5P_DEFAULT));
  ASSERT_GE(H5Awrite(made.get(), type.get(), value.data()), 0);
}

void replace_dataset(hid_t file, const char* path, hid_t type, const std::vector<hsize_t>& dims,
                     hid_t creation) {
  H5Ldelete(file, path, H5P_DEFAULT);
  const H5Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr));
  const H5Handle made(
      H5Dcreate2(file, path, type, space.get(), H5P_DEFAULT, creation, H5P_DEFAULT));
  ASSERT_TRUE(made);
  hsize_t count = 1;
  for (const hsize_t length : dims) count *= length;
  const std::vector<char> zeros(count * 16, 0);
  ASSERT_GE(H5Dwrite(made.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data()), 0);
  const std::uint32_t checksum =
      crc32c(std::as_bytes(std::span(zeros).first(count * H5Tget_size(type))));
  const H5Handle scalar(H5Screate(H5S_SCALAR));
  const H5Handle attribute(
      H5Acreate2(made.get(), "crc32c", H5T_STD_U32LE, scalar.get(), H5P_DEFAULT, H5P_DEFAULT));
  ASSERT_GE(H5Awrite(attribute.get(), H5T_STD_U32LE, &checksum), 0);
}

}  // namespace palimpsest
