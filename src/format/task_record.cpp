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

void write_head_of_record(H5Writer& file, const TaskRecord& record) {
  file.number<std::int64_t>("/task@index", record.index);
  file.text("/task@name", record.name);
  file.number<std::int64_t>("/task@train_samples", record.train_samples);
  file.number<std::uint64_t>("/task@seed", record.seed);
  file.texts("/task/classes", record.classes);
  file.text("/base@name", record.backbone_name);
  file.text("/base@sha256", record.backbone_sha256);
  file.text("/pack@content_sha256", record.pack_content_sha256);
  file.text("/config", record.config);
}

TaskRecord read_head_of_record(const H5File& file) {
  TaskRecord record;
  record.index = file.number<std::int64_t>("/task@index");
  if (record.index < 0) file.refuse("/task@index", "0 or more", std::to_string(record.index));
  record.name = file.text("/task@name");
  record.train_samples = file.number<std::int64_t>("/task@train_samples");
  record.seed = file.number<std::uint64_t>("/task@seed");
  record.classes = file.texts("/task/classes");
  record.backbone_name = file.text("/base@name");
  record.backbone_sha256 = file.text("/base@sha256");
  record.pack_content_sha256 = file.text("/pack@content_sha256");
  record.config = file.text("/config");
  return record;
}

void write_fisher(H5Writer& file, const FisherRecord& fisher, const AdaptedLayout& layout) {
  file.text("/fisher@kind", fisher.kind);
  file.number<std::int64_t>("/fisher@samples", fisher.samples);
  file.text("/fisher@transform", fisher.transform);
  file.text("/fisher@scale", fisher.scale);
  file.number<double>("/fisher@factor", fisher.factor);
  write_flat<float>(file, "/fisher", layout, fisher.values);
}

FisherRecord read_fisher(const H5File& file) {
  FisherRecord fisher;
  fisher.kind = file.text("/fisher@kind");
  fisher.samples = file.number<std::int64_t>("/fisher@samples");
  fisher.transform = file.text("/fisher@transform");
  fisher.scale = file.text("/fisher@scale");
  fisher.factor = file.number<double>("/fisher@factor");
  return fisher;
}

void write_list(H5Writer& file, const std::string& path, const std::vector<double>& values) {
  if (!values.empty()) {
    file.numbers<double>(path, {static_cast<std::int64_t>(values.size())}, values);
  }
}

std::vector<double> read_list(const H5File& file, const std::string& path) {
  if (!file.has(path)) return {};
  return file.numbers<double>(path, {kAnyLength});
}

void write_merge(H5Writer& file, const MergeRecord& merge) {
  file.text("/merge/rule", merge.rule);
  file.text("/merge/remark", merge.remark);
  write_list(file, "/merge/coefficients", merge.coefficients);
  write_list(file, "/merge/module_numerators", merge.module_numerators);
  write_list(file, "/merge/module_denominators", merge.module_denominators);
  write_optional(file, "/merge@alpha_unclamped", merge.alpha_unclamped);
  write_optional(file, "/merge@numerator", merge.numerator);
  write_optional(file, "/merge@denominator", merge.denominator);
  file.text("/merge@weights_before", merge.weights_before);
  file.text("/merge@weights_after", merge.weights_after);
}

MergeRecord read_merge(const H5File& file) {
  MergeRecord merge;
  merge.rule = file.text("/merge/rule");
  merge.remark = file.text("/merge/remark");
  merge.coefficients = read_list(file, "/merge/coefficients");
  merge.module_numerators = read_list(file, "/merge/module_numerators");
  merge.module_denominators = read_list(file, "/merge/module_denominators");
  merge.alpha_unclamped = read_optional(file, "/merge@alpha_unclamped");
  merge.numerator = read_optional(file, "/merge@numerator");
  merge.denominator = read_optional(file, "/merge@denominator");
  merge.weights_before = file.text("/merge@weights_before");
  merge.weights_after = file.text("/merge@weights_after");
  return merge;
}

// The numbers of TaskMetrics, each with its attribute.
struct MetricsAttribute {
  const char* path;
  double TaskMetrics::*member;
};

constexpr MetricsAttribute kMetrics[] = {
    {"/metrics@loss_first_step", &TaskMetrics::loss_first_step},
    {"/metrics@loss_last_pass", &TaskMetrics::loss_last_pass},
    {"/metrics@loss_merged_before", &TaskMetrics::loss_merged_before},
    {"/metrics@loss_trained", &TaskMetrics::loss_trained},
    {"/metrics/seconds@train", &TaskMetrics::seconds_train},
    {"/metrics/seconds@fisher", &TaskMetrics::seconds_fisher},
    {"/metrics/seconds@merge", &TaskMetrics::seconds_merge},
    {"/metrics/seconds@evaluate", &TaskMetrics::seconds_evaluate}};

void write_metrics(H5Writer& file, const TaskMetrics& metrics) {
  write_row(file, "/metrics/before_merge", metrics.before_merge);
  write_row(file, "/metrics/after_merge", metrics.after_merge);
  for (const auto& [path, member] : kMetrics) file.number<double>(path, metrics.*member);
  write_optional(file, "/metrics@rise_predicted", metrics.rise_predicted);
  write_optional(file, "/metrics@rise_measured", metrics.rise_measured);
}

TaskMetrics read_metrics(const H5File& file, std::size_t tasks) {
  TaskMetrics metrics;
  metrics.before_merge = read_row(file, "/metrics/before_merge", tasks);
  metrics.after_merge = read_row(file, "/metrics/after_merge", tasks);
  for (const auto& [path, member] : kMetrics) metrics.*member = file.number<double>(path);
  metrics.rise_predicted = read_optional(file, "/metrics@rise_predicted");
  metrics.rise_measured = read_optional(file, "/metrics@rise_measured");
  return metrics;
}

}  // namespace

std::string write_task_record(const std::filesystem::path& path, const TaskRecord& record) {
  refuse_problem<Error>(path, problem_of(record));
  AtomicFile target(path);
  H5Writer file(target.temporary(), "task");
  write_head_of_record(file, record);
  for (const LoraFactors& factors : record.lora) {
    write_lora(file, "/lora/" + factors.module, factors);
  }
  write_head(file, "/head", record.head);
  if (record.fisher) write_fisher(file, *record.fisher, layout_of(record.lora));
  write_merge(file, record.merge);
  write_metrics(file, record.metrics);
  write_statistics(file, record);
  std::string hash = file.finish();
  target.commit();
  return hash;
}

TaskRecord read_task_record(const std::filesystem::path& path) {
  const H5File file(path, "task");
  check_content_hash(file);
  TaskRecord record = read_head_of_record(file);
  for (const std::string& module : file.children("/lora")) {
    record.lora.push_back(read_lora(file, "/lora/" + module, module));
  }
  record.head = read_head(file, "/head");
  if (file.has("/fisher")) {
    record.fisher = read_fisher(file);
    record.fisher->values = read_flat<float>(file, "/fisher", layout_of(record.lora));
  }
  record.merge = read_merge(file);
  record.metrics = read_metrics(file, static_cast<std::size_t>(record.index) + 1);
  refuse_problem<InputError>(path, problem_of(record));
  return record;
}

TaskRecord read_task_parts(const std::filesystem::path& path, const TaskParts& parts) {
  const H5File file(path, "task");
  TaskRecord record = read_head_of_record(file);
  if (parts.lora) {
    for (const std::string& module : file.children("/lora")) {
      record.lora.push_back(read_lora(file, "/lora/" + module, module));
    }
  }
  if (file.has("/fisher")) {
    record.fisher = read_fisher(file);
    if (parts.lora && parts.fisher) {
      record.fisher->values = read_flat<float>(file, "/fisher", layout_of(record.lora));
    }
  }
  record.merge = read_merge(file);
  record.metrics = read_metrics(file, static_cast<std::size_t>(record.index) + 1);
  refuse_problem<InputError>(path, problem_of_modules(record.lora));
  return record;
}

TaskSummary read_task_summary(const std::filesystem::path& path) {
  const H5File file(path, "task");
  TaskSummary summary;
  summary.identity = identity_of(file);
  summary.finite = file.number<std::uint8_t>("/stats@finite") != 0;
  summary.modules = read_statistics(file);
  summary.record = read_head_of_record(file);
  for (const ModuleStatistics& module : summary.modules) {
    summary.record.lora.push_back({.module = module.module,
                                   .out = module.out,
                                   .in = module.in,
                                   .rank = module.rank,
                                   .scale = module.scale,
                                   .a = {},
                                   .b = {}});
  }
  const H5Dims head = file.dims("/head/weight");
  if (head.size() != 2) file.refuse("/head/weight", "two dimensions", std::to_string(head.size()));
  summary.record.head.classes = head[0];
  summary.record.head.features = head[1];
  if (file.has("/fisher")) summary.record.fisher = read_fisher(file);
  summary.record.merge = read_merge(file);
  summary.record.metrics = read_metrics(file, static_cast<std::size_t>(summary.record.index) + 1);
  return summary;
}

}  // namespace palimpsest
