#include "palimpsest/export/source.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/merged_record.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/merge/task_vector.h"
#include "palimpsest/merge/thin_svd.h"
#include "palimpsest/remerge/merge_record.h"
#include "palimpsest/remerge/run_merge.h"

namespace palimpsest {
namespace {

// Whether theta_hat_t - theta_hat_{t-1} is the coefficients times parts of the task vector.
bool is_linear(const MergeRecord& merge) {
  const auto rule = nlohmann::json::parse(merge.rule, nullptr, /*allow_exceptions=*/false);
  return !merge.coefficients.empty() && rule.is_object() && rule.value("by", "") != "coordinate";
}

// sum_k a_k u_k v_k', with the u_k as long as their singular values.
WeightedFactors along_directions(const LoraFactors& lora, std::span<const double> coefficients) {
  const LowRankFactors factors{.a = lora.a, .b = lora.b, .rank = lora.rank, .scale = lora.scale};
  const ThinSvd svd = thin_svd(factors, lora.out, lora.in);
  const auto rank = static_cast<std::size_t>(svd.rank);
  WeightedFactors made{.rank = svd.rank, .weight = 1, .a = {}, .b = {}};
  for (std::size_t k = 0; k < rank; ++k) {
    for (std::size_t i = k; i < svd.v.size(); i += rank)
      made.a.push_back(static_cast<float>(svd.v[i]));
  }
  for (std::size_t i = 0; i < svd.u.size(); ++i)
    made.b.push_back(static_cast<float>(coefficients[i % rank] * svd.u[i]));
  return made;
}

// What a task adds, by module. taken_whole: all of its task vector, whatever the merge kept.
std::vector<WeightedFactors> contribution(const TaskRecord& task, bool taken_whole) {
  const std::vector<double>& coefficients = task.merge.coefficients;
  std::size_t directions = 0;
  for (const LoraFactors& lora : task.lora) directions += static_cast<std::size_t>(lora.rank);
  const bool by_direction = !taken_whole && coefficients.size() > 1 &&
                            coefficients.size() == directions &&
                            coefficients.size() != task.lora.size();
  if (!taken_whole && !by_direction && coefficients.size() != 1 &&
      coefficients.size() != task.lora.size()) {
    throw InputError(concat("task ", task.index + 1, ": ", coefficients.size(),
                            " coefficients of the merge for ", task.lora.size(), " modules and ",
                            directions, " directions"));
  }
  std::vector<WeightedFactors> modules;
  std::size_t first = 0;
  for (std::size_t m = 0; m < task.lora.size(); ++m) {
    const LoraFactors& lora = task.lora[m];
    const auto rank = static_cast<std::size_t>(lora.rank);
    if (by_direction) {
      modules.push_back(along_directions(lora, std::span(coefficients).subspan(first, rank)));
      first += rank;
      continue;
    }
    const double coefficient =
        taken_whole ? 1 : coefficients[coefficients.size() == 1 ? std::size_t{0} : m];
    modules.push_back(
        {.rank = lora.rank, .weight = coefficient * lora.scale, .a = lora.a, .b = lora.b});
  }
  return modules;
}

// theta_hat_t as the run merged it, or theta_t*; and the heads as the run uses them now.
void merge_up_to(const RunFolder& folder, std::int64_t task, bool optimum, ExportSource& source) {
  std::vector<float> before, merged;
  RunRequest request{.run = folder.path(), .rule = {}};
  for (std::int64_t t = 0; t <= task; ++t) request.tasks.push_back(t);
  request.on_merged = [&](const std::vector<float>& weights) {
    before = std::exchange(merged, weights);
  };
  RemergeResult result = remerge_run(request);
  add_heads(result, request);
  source.layout = std::move(result.record.layout);
  source.heads = std::move(result.record.heads);
  source.backbone_shape_sha256 = result.record.backbone_shape_sha256;
  source.weights = std::move(merged);
  if (!optimum) return;
  source.weights = task_vector_of(folder.task(task).lora, source.layout);
  if (task > 0) add_scaled(source.weights, 1, before);
}

ExportSource of_run(const RunFolder& folder, std::optional<std::int64_t> wanted, bool optimum) {
  const std::optional<Manifest> manifest = folder.manifest();
  const std::int64_t done = manifest ? manifest->tasks_done : 0;
  if (done == 0) {
    throw InputError(
        concat(folder.path().string(), ": expected a run with a finished task, found none"));
  }
  const std::int64_t task = wanted.value_or(done - 1);
  if (task < 0 || task >= done) {
    throw UsageError(concat("--task ", task + 1, ": ", folder.path().string(), " has finished ",
                            done, done == 1 ? " task" : " tasks"));
  }
  ExportSource source;
  source.description =
      concat(optimum ? "theta*" : "theta_hat", " after task ", task + 1, " of ", done);
  std::vector<std::vector<WeightedFactors>> factors;
  bool linear = true, frozen = false;
  for (std::int64_t t = 0; t <= task; ++t) {
    TaskRecord record = folder.task(t);
    frozen = record.lora.empty();
    factors.resize(record.lora.size());
    const bool whole = optimum && t == task;
    linear = linear && (whole || is_linear(record.merge));
    if (linear) {
      std::vector<WeightedFactors> part = contribution(record, whole);
      for (std::size_t m = 0; m < part.size(); ++m) factors[m].push_back(std::move(part[m]));
    }
    source.heads.push_back(std::move(record.head));
    source.classes.push_back(std::move(record.classes));
    source.backbone_sha256 = record.backbone_sha256;
    source.config = record.config;
  }
  if (!frozen) merge_up_to(folder, task, optimum, source);
  if (linear) source.factors = std::move(factors);
  return source;
}

ExportSource of_merged(const std::filesystem::path& path) {
  MergedRecord record = read_merged_record(path);
  ExportSource source{.layout = std::move(record.layout),
                      .weights = std::move(record.weights),
                      .factors = std::nullopt,
                      .heads = std::move(record.heads),
                      .classes = std::move(record.classes),
                      .backbone_sha256 = record.backbone_sha256,
                      .backbone_shape_sha256 = record.backbone_shape_sha256,
                      .config = record.config,
                      .description = concat("weights merged by ", record.rule)};
  if (!record.post_hoc.empty()) source.description += concat("; ", record.post_hoc);
  return source;
}

}  // namespace

ExportSource open_export_source(const std::filesystem::path& path, std::optional<std::int64_t> task,
                                bool optimum) {
  if (std::filesystem::is_directory(path)) return of_run(RunFolder(path), task, optimum);
  if (!std::filesystem::exists(path)) {
    throw InputError(
        concat(path.string(), ": expected a run folder or merged weights, found nothing there"));
  }
  if (task || optimum) {
    throw UsageError(concat("--task and --optimum choose among the tasks of a run, and ",
                            path.string(), " is no run folder"));
  }
  return of_merged(path);
}

}  // namespace palimpsest
