#include <algorithm>

#include "content_hash.h"
#include "h5.h"
#include "memory_fields.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/format/records.h"
#include "record_parts.h"
#include "statistics.h"

namespace palimpsest {
namespace {

// The numbers of EvaluationRow, each with its dataset.
template <typename Number>
struct AccuracyArray {
  const char* name;
  std::vector<Number> EvaluationRow::*member;
};
using Counts = AccuracyArray<std::int64_t>;
using Losses = AccuracyArray<double>;

constexpr Counts kByTask[] = {{"samples", &EvaluationRow::samples},
                              {"correct", &EvaluationRow::correct},
                              {"correct_given_task", &EvaluationRow::correct_given_task}};
// Since 1.2.
constexpr Counts kMoreByTask[] = {{"correct_top5", &EvaluationRow::correct_top5},
                                  {"correct_task", &EvaluationRow::correct_task}};
constexpr Losses kLosses[] = {{"loss_given_task", &EvaluationRow::loss_given_task}};
constexpr Counts kByClass[] = {{"class_samples", &EvaluationRow::class_samples},
                               {"class_correct", &EvaluationRow::class_correct}};

using Rows = std::vector<EvaluationRow>;

// Datasets [rows, columns]: what a row has, then zeros.
template <typename Number>
void write_arrays(H5Writer& file, const std::string& group,
                  std::span<const AccuracyArray<Number>> arrays, const Rows& rows,
                  std::size_t columns) {
  const H5Dims dims = {std::ssize(rows), static_cast<std::int64_t>(columns)};
  for (const auto& [name, member] : arrays) {
    std::vector<Number> values;
    for (const EvaluationRow& row : rows) {
      values.insert(values.end(), (row.*member).begin(), (row.*member).end());
      values.resize(values.size() + columns - (row.*member).size(), 0);
    }
    file.numbers<Number>(group + "/" + name, dims, values);
  }
}

// The inverse; row t has lengths[t] numbers, none where that is 0.
template <typename Number>
void read_arrays(const H5File& file, const std::string& group,
                 std::span<const AccuracyArray<Number>> arrays, Rows& rows, std::int64_t columns,
                 const std::vector<std::int64_t>& lengths) {
  for (const auto& [name, member] : arrays) {
    const auto values = file.numbers<Number>(group + "/" + name, {std::ssize(rows), columns});
    auto begin = values.begin();
    for (std::size_t t = 0; t < rows.size(); ++t, begin += columns)
      (rows[t].*member).assign(begin, begin + lengths[t]);
  }
}

void write_rows(H5Writer& file, const std::string& group, const Rows& rows) {
  write_arrays<std::int64_t>(file, group, kByTask, rows, rows.size());
  // A run that goes on from an older one has them for its own tasks alone.
  if (std::ranges::none_of(rows, &EvaluationRow::is_detailed)) return;
  write_arrays<std::int64_t>(file, group, kMoreByTask, rows, rows.size());
  write_arrays<double>(file, group, kLosses, rows, rows.size());
  std::size_t classes = 0;
  for (const EvaluationRow& row : rows) classes = std::max(classes, row.class_samples.size());
  write_arrays<std::int64_t>(file, group, kByClass, rows, classes);
}

// classes: by task.
Rows read_rows(const H5File& file, const std::string& group,
               const std::vector<std::vector<std::string>>& classes) {
  const auto tasks = std::ssize(classes);
  std::vector<std::int64_t> by_task, by_class;
  std::int64_t seen = 0;
  for (const auto& names : classes) {
    by_task.push_back(std::ssize(by_task) + 1);
    by_class.push_back(seen += std::ssize(names));
  }
  Rows rows(classes.size());
  read_arrays<std::int64_t>(file, group, kByTask, rows, tasks, by_task);
  if (!file.has(group + "/class_samples")) return rows;
  read_arrays<std::int64_t>(file, group, kByClass, rows, seen, by_class);
  for (std::size_t t = 0; t < rows.size(); ++t) {
    const auto is_zero = [](std::int64_t count) { return count == 0; };
    if (!std::ranges::all_of(rows[t].class_samples, is_zero)) continue;
    rows[t].class_samples.clear();
    rows[t].class_correct.clear();
    by_task[t] = 0;
  }
  read_arrays<std::int64_t>(file, group, kMoreByTask, rows, tasks, by_task);
  read_arrays<double>(file, group, kLosses, rows, tasks, by_task);
  return rows;
}

void write_accuracy(H5Writer& file, const AccuracyMatrix& accuracy) {
  Rows after, before;
  for (std::size_t task = 0; task < accuracy.tasks(); ++task) {
    after.push_back(accuracy.row(task));
    before.push_back(accuracy.row_before_merge(task));
  }
  write_rows(file, "/accuracy/after_merge", after);
  write_rows(file, "/accuracy/before_merge", before);
}

AccuracyMatrix read_accuracy(const H5File& file,
                             const std::vector<std::vector<std::string>>& classes) {
  Rows after = read_rows(file, "/accuracy/after_merge", classes);
  Rows before = read_rows(file, "/accuracy/before_merge", classes);
  AccuracyMatrix accuracy;
  for (std::size_t task = 0; task < after.size(); ++task) {
    try {
      accuracy.add_row(std::move(after[task]), std::move(before[task]));
    } catch (const Error& error) {
      file.refuse("/accuracy", "counts that fit together", error.what());
    }
  }
  return accuracy;
}

StateRecord read_all_but_bulk(const H5File& file) {
  StateRecord record;
  record.tasks_done = file.number<std::int64_t>("/stream@tasks_done");
  if (record.tasks_done < 1) {
    file.refuse("/stream@tasks_done", "at least 1", std::to_string(record.tasks_done));
  }
  record.backbone_sha256 = file.text("/base@sha256");
  if (file.has("/base@shape_sha256"))
    record.backbone_shape_sha256 = file.text("/base@shape_sha256");
  record.pack_content_sha256 = file.text("/pack@content_sha256");
  record.config = file.text("/config");
  record.numerics = file.text("/numerics");
  record.layout = read_layout(file, "/weights");
  for (std::int64_t task = 0; task < record.tasks_done; ++task) {
    record.classes.push_back(file.texts(classes_path(file, task)));
  }
  record.accuracy = read_accuracy(file, record.classes);
  return record;
}

std::vector<StoredTensor> stored_memory(const H5File& file, const StateRecord& record) {
  return stored_memory(file, record.layout, record.tasks_done);
}

}  // namespace

std::string write_state_record(const std::filesystem::path& path, const StateRecord& record) {
  refuse_problem<Error>(path, problem_of(record));
  AtomicFile target(path);
  H5Writer file(target.temporary(), "state");
  file.number<std::int64_t>("/stream@tasks_done", record.tasks_done);
  file.text("/base@sha256", record.backbone_sha256);
  if (!record.backbone_shape_sha256.empty())
    file.text("/base@shape_sha256", record.backbone_shape_sha256);
  file.text("/pack@content_sha256", record.pack_content_sha256);
  file.text("/config", record.config);
  file.text("/numerics", record.numerics);
  write_flat<float>(file, "/weights", record.layout, record.merged);
  write_memory(file, record.memory);
  for (std::size_t task = 0; task < record.classes.size(); ++task)
    file.texts("/classes/" + std::to_string(task), record.classes[task]);
  write_accuracy(file, record.accuracy);
  if (!record.merged.empty()) {
    file.number<double>("/stats@norm_merged", frobenius_norm(record.merged));
  }
  std::string hash = file.finish();
  target.commit();
  return hash;
}

StateRecord read_state_record(const std::filesystem::path& path) {
  const H5File file(path, "state");
  check_content_hash(file);
  StateRecord record = read_all_but_bulk(file);
  record.merged = read_flat<float>(file, "/weights", record.layout);
  record.memory = read_memory(file, stored_memory(file, record));
  refuse_problem<InputError>(path, problem_of(record));
  return record;
}

StateRecord read_state_heads(const std::filesystem::path& path) {
  const H5File file(path, "state");
  StateRecord record = read_all_but_bulk(file);
  record.memory = read_memory(file, stored_memory(file, record), "head");
  refuse_problem<InputError>(path, problem_of_memory(record));
  return record;
}

StateSummary read_state_summary(const std::filesystem::path& path) {
  const H5File file(path, "state");
  StateRecord record = read_all_but_bulk(file);
  std::vector<TensorSummary> memory = summaries_of(stored_memory(file, record));
  return {.record = std::move(record),
          .memory = std::move(memory),
          .norm_merged = read_optional(file, "/stats@norm_merged"),
          .identity = identity_of(file)};
}

}  // namespace palimpsest
