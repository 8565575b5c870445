#include "accuracy_record.h"
#include "content_hash.h"
#include "h5.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/format/records.h"
#include "record_parts.h"
#include "statistics.h"

namespace palimpsest {
namespace {

std::string statistics_group(std::int64_t task) {
  return "/class_statistics/" + std::to_string(task);
}

void write_statistics(H5Writer& file, const std::string& group, const ClassStatistics& statistics) {
  const H5Dims dims = {statistics.classes, statistics.features};
  file.numbers<float>(group + "/mean", dims, statistics.mean);
  file.numbers<float>(group + "/variance", dims, statistics.variance);
}

ClassStatistics read_statistics(const H5File& file, const std::string& group, const Head& head) {
  const H5Dims dims = {head.classes, head.features};
  return {.classes = head.classes,
          .features = head.features,
          .mean = file.numbers<float>(group + "/mean", dims),
          .variance = file.numbers<float>(group + "/variance", dims)};
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
  record.fisher_kind = file.text("/curvature@kind");
  record.fisher_scale = file.text("/curvature@scale");
  for (std::int64_t task = 0; task < record.tasks_done; ++task) {
    record.classes.push_back(file.texts(head_group(task) + "/classes"));
  }
  record.accuracy = read_accuracy(file, record.classes);
  return record;
}

bool has_curvature_memory(const H5File& file) { return file.has("/curvature/s0"); }

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
  file.text("/curvature@kind", record.fisher_kind);
  file.text("/curvature@scale", record.fisher_scale);
  if (!record.s0.empty()) {
    write_flat<double>(file, "/curvature/s0", record.layout, record.s0);
    write_flat<double>(file, "/curvature/s1", record.layout, record.s1);
  }
  for (std::int64_t task = 0; task < record.tasks_done; ++task) {
    const auto i = static_cast<std::size_t>(task);
    write_head(file, head_group(task), record.heads[i]);
    file.texts(head_group(task) + "/classes", record.classes[i]);
    if (!record.class_statistics.empty())
      write_statistics(file, statistics_group(task), record.class_statistics[i]);
  }
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
  if (has_curvature_memory(file)) {
    record.s0 = read_flat<double>(file, "/curvature/s0", record.layout);
    record.s1 = read_flat<double>(file, "/curvature/s1", record.layout);
  }
  for (std::int64_t task = 0; task < record.tasks_done; ++task) {
    record.heads.push_back(read_head(file, head_group(task)));
    if (file.has("/class_statistics")) {
      record.class_statistics.push_back(
          read_statistics(file, statistics_group(task), record.heads.back()));
    }
  }
  refuse_problem<InputError>(path, problem_of(record));
  return record;
}

StateRecord read_state_heads(const std::filesystem::path& path) {
  const H5File file(path, "state");
  StateRecord record = read_all_but_bulk(file);
  for (std::int64_t task = 0; task < record.tasks_done; ++task) {
    const auto i = static_cast<std::size_t>(task);
    record.heads.push_back(read_head(file, head_group(task)));
    refuse_problem<InputError>(path, problem_of(record.heads[i], record.classes[i].size()));
  }
  return record;
}

StateSummary read_state_summary(const std::filesystem::path& path) {
  const H5File file(path, "state");
  return {.record = read_all_but_bulk(file),
          .has_curvature_memory = has_curvature_memory(file),
          .norm_merged = read_optional(file, "/stats@norm_merged"),
          .identity = identity_of(file)};
}

}  // namespace palimpsest
