#include "palimpsest/format/merged_record.h"

#include "content_hash.h"
#include "h5.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/text.h"
#include "record_parts.h"

namespace palimpsest {
namespace {

std::string problem_of(const MergedRecord& record) {
  for (const AdaptedModule& module : record.layout.modules()) {
    const std::string problem = problem_of_name(module.name);
    if (!problem.empty()) return problem;
  }
  if (record.weights.empty() || std::ssize(record.weights) != record.layout.size()) {
    return concat(record.weights.size(), " merged weights for ", record.layout.size(),
                  " adapted ones");
  }
  if (record.task_names.empty()) return "merged weights of no task";
  if (record.heads.size() != record.classes.size() ||
      (!record.heads.empty() && record.heads.size() != record.task_names.size())) {
    return concat(record.heads.size(), " heads and classes of ", record.classes.size(),
                  " tasks for ", record.task_names.size(), " tasks");
  }
  for (std::size_t task = 0; task < record.heads.size(); ++task) {
    const std::string problem = problem_of(record.heads[task], record.classes[task].size());
    if (!problem.empty()) return concat("task ", task, ": ", problem);
  }
  return "";
}

}  // namespace

std::string write_merged_record(const std::filesystem::path& path, const MergedRecord& record) {
  refuse_problem<Error>(path, problem_of(record));
  AtomicFile target(path);
  H5Writer file(target.temporary(), "merged");
  file.text("/base@sha256", record.backbone_sha256);
  file.text("/base@shape_sha256", record.backbone_shape_sha256);
  file.text("/pack@content_sha256", record.pack_content_sha256);
  file.text("/config", record.config);
  file.text("/merge/rule", record.rule);
  file.text("/merge/sources", record.sources);
  file.text("/merge/post_hoc", record.post_hoc);
  file.texts("/merge/tasks", record.task_names);
  write_flat<float>(file, "/weights", record.layout, record.weights);
  for (std::size_t task = 0; task < record.heads.size(); ++task) {
    write_head(file, head_group(task), record.heads[task]);
    file.texts(head_group(task) + "/classes", record.classes[task]);
  }
  std::string hash = file.finish();
  target.commit();
  return hash;
}

MergedRecord read_merged_record(const std::filesystem::path& path) {
  const H5File file(path, "merged");
  check_content_hash(file);
  MergedRecord record;
  record.layout = read_layout(file, "/weights");
  record.weights = read_flat<float>(file, "/weights", record.layout);
  record.rule = file.text("/merge/rule");
  record.sources = file.text("/merge/sources");
  record.post_hoc = file.text("/merge/post_hoc");
  record.task_names = file.texts("/merge/tasks");
  for (std::size_t task = 0; task < file.children("/heads").size(); ++task) {
    record.heads.push_back(read_head(file, head_group(task)));
    record.classes.push_back(file.texts(head_group(task) + "/classes"));
  }
  record.backbone_sha256 = file.text("/base@sha256");
  record.backbone_shape_sha256 = file.text("/base@shape_sha256");
  record.pack_content_sha256 = file.text("/pack@content_sha256");
  record.config = file.text("/config");
  refuse_problem<InputError>(path, problem_of(record));
  return record;
}

}  // namespace palimpsest
