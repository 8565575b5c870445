#include "palimpsest/format/curvature_record.h"

#include <algorithm>
#include <cmath>

#include "content_hash.h"
#include "h5.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/text.h"
#include "record_parts.h"

namespace palimpsest {
namespace {

std::string problem_of(const CurvatureRecord& record) {
  for (const AdaptedModule& module : record.layout.modules()) {
    const std::string problem = problem_of_name(module.name);
    if (!problem.empty()) return problem;
  }
  if (record.values.empty() || std::ssize(record.values) != record.layout.size()) {
    return concat(record.values.size(), " values for ", record.layout.size(), " adapted weights");
  }
  if (!std::ranges::all_of(record.values, [](float value) { return value >= 0; })) {
    return "a curvature under 0";
  }
  if (record.samples < 1) return concat("a mean over ", record.samples, " samples");
  if (record.kind.empty()) return "no kind of curvature";
  if (!std::isfinite(record.factor) || record.factor <= 0) return concat("factor ", record.factor);
  return "";
}

}  // namespace

std::string write_curvature_record(const std::filesystem::path& path,
                                   const CurvatureRecord& record) {
  refuse_problem<Error>(path, problem_of(record));
  AtomicFile target(path);
  H5Writer file(target.temporary(), "curvature");
  file.text("/base@sha256", record.base_sha256);
  write_flat<float>(file, "/curvature", record.layout, record.values);
  file.text("/curvature@kind", record.kind);
  file.number<std::int64_t>("/curvature@samples", record.samples);
  file.number<double>("/curvature@factor", record.factor);
  std::string hash = file.finish();
  target.commit();
  return hash;
}

CurvatureRecord read_curvature_record(const std::filesystem::path& path) {
  const H5File file(path, "curvature");
  check_content_hash(file);
  CurvatureRecord record{.layout = read_layout(file, "/curvature"),
                         .values = {},
                         .kind = file.text("/curvature@kind"),
                         .samples = file.number<std::int64_t>("/curvature@samples"),
                         .factor = file.number<double>("/curvature@factor"),
                         .base_sha256 = file.text("/base@sha256")};
  record.values = read_flat<float>(file, "/curvature", record.layout);
  refuse_problem<InputError>(path, problem_of(record));
  return record;
}

}  // namespace palimpsest
