#include "accuracy_record.h"
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
