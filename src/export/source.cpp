#include "palimpsest/export/source.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/records.h"
#include "palimpsest/format/run_folder.h"
#include "palimpsest/kinds/kind_settings.h"
#include "palimpsest/kinds/old_settings.h"
#include "palimpsest/merge/task_vector.h"
#include "palimpsest/merge/thin_svd.h"
#include "palimpsest/remerge/merge_record.h"
#include "palimpsest/remerge/run_merge.h"

namespace palimpsest {
namespace {

std::size_t direction_count(const TaskRecord& task) {
  std::size_t directions = 0;
  for (const LoraFactors& lora : task.lora) directions += static_cast<std::size_t>(lora.rank);
  return directions;
}

// Whether theta_hat_t - theta_hat_{t-1} is the coefficients times parts of the task vector.
bool is_linear(const TaskRecord& task) {
  const std::unique_ptr<MergeRule> rule = parse_recorded_rule(task.merge.rule);
  const std::size_t count = task.merge.coefficients.size();
  return rule->coefficients_suffice() || (count > 1 && count == direction_count(task));
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
  const std::size_t directions = direction_count(task);
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

// The sum over tasks, for every module in turn.
std::vector<float> sum_factors(const std::vector<std::vector<WeightedFactors>>& factors,
                               const AdaptedLayout& layout) {
  std::vector<float> sum(static_cast<std::size_t>(layout.size()));
  for (std::size_t m = 0; m < factors.size(); ++m) {
    const AdaptedModule& module = layout.modules()[m];
    std::vector<float> delta(static_cast<std::size_t>(module.size()));
    for (const WeightedFactors& part : factors[m]) {
      task_vector(part.a, part.b, part.rank, module.out, module.in, part.weight, delta);
      add_scaled(std::span(sum).subspan(static_cast<std::size_t>(module.offset), delta.size()), 1,
                 delta);
    }
  }
  return sum;
}

// The sum of the adapters is what the run merged, except for rounding: one float32 rounding a task.
void check_sum(const std::vector<std::vector<WeightedFactors>>& factors,
               const ExportSource& source) {
  const std::vector<float> sum = sum_factors(factors, source.layout);
  double squares = 0, differences = 0;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const double weight = source.weights[i], difference = sum[i] - weight;
    squares += weight * weight;
    differences += difference * difference;
  }
  if (differences <= 1e-10 * squares) return;
  throw Error(concat("the tasks' adapters times the recorded coefficients miss the merged weights ",
                     "by ", std::sqrt(differences / squares),
                     " of their norm; expected 1e-5 at "
                     "most: the merge rule is not what its record says"));
}

// theta_hat_t as the run merged it, or theta_t*. `last`: the record of task t.
void merge_up_to(const RunFolder& folder, const TaskRecord& last, bool optimum,
                 ExportSource& source) {
  std::vector<float> before, merged;
  RunRequest request{.run = folder.path(), .rule = {}};
  for (std::int64_t t = 0; t <= last.index; ++t) request.tasks.push_back(t);
  request.on_merged = [&](const std::vector<float>& weights) {
    before = std::exchange(merged, weights);
  };
  source.layout = remerge_run(request).record.layout;
  source.weights = std::move(merged);
  if (!optimum) return;
  source.weights = make_task_vector(last.lora, source.layout);
  if (last.index > 0) add_scaled(source.weights, 1, before);
}

// The text of a classifier of the run: its own, or the one that is wanted. Records before 2.1 don't
// name their own.
std::string find_classifier(const TaskRecord& newest, const std::string& wanted) {
  std::vector<std::string> names = {newest.metrics.classifier};
  if (names[0].empty()) {
    const auto config = nlohmann::json::parse(with_todays_settings(newest.config), nullptr, false);
    names[0] = kinds_in(config.is_object() ? config.value("classifier", "") : "").front();
  }
  for (const ClassifierRows& other : newest.metrics.others) names.push_back(other.classifier);
  if (wanted.empty()) return names[0];
  if (std::ranges::find(names, wanted) != names.end()) return wanted;
  throw UsageError(concat("--classifier ", wanted, ": the run has ", in_words(names, "and")));
}

// What the run answers with now.
void take_heads(const RunFolder& folder, std::int64_t task, std::int64_t done,
                const std::string& wanted, ExportSource& source) {
  const TaskRecord newest = read_task_parts(folder.task_file(done - 1), {.lora = false});
  source.classifier = find_classifier(newest, wanted);
  StateRecord state = read_state_heads(folder.state_file(done - 1), source.classifier);
  const auto count = static_cast<std::size_t>(task + 1);
  source.classes.assign(state.classes.begin(),
                        state.classes.begin() + static_cast<std::ptrdiff_t>(count));
  source.backbone_sha256 = state.backbone_sha256;
  source.backbone_shape_sha256 = state.backbone_shape_sha256;
  source.config = with_todays_settings(state.config);

  const std::optional<std::vector<Head>> linear = linear_heads(state.memory, source.classifier);
  const bool lacks_norms = lack_norms(state.memory, source.classifier);
  if (task + 1 < done && !answers_by_heads(state.memory, source.classifier)) {
    source.heads = heads_in(state.memory);
    source.description += concat("; the heads that training made, since the classifier ",
                                 source.classifier, " has learned all ", done, " tasks");
  } else if (linear) {
    source.heads = *linear;
  } else {
    source.heads = heads_in(state.memory);
    source.nonlinear = std::move(state.memory);
    source.description += concat("; the heads that training made, and beside them the classifier ",
                                 source.classifier, " that answers in the run");
  }
  if (source.heads.size() > count) source.heads.resize(count);
  if (lacks_norms) source.description += "; the logits of its heads are not divided by their norms";
  if (task + 1 < done && key_in(source.classifier, "align") == "gaussian")
    source.description += concat("; its heads are as they were aligned over all ", done, " tasks");
}

ExportSource of_run(const RunFolder& folder, std::optional<std::int64_t> wanted, bool optimum,
                    const std::string& classifier) {
  const std::optional<Manifest> manifest = folder.manifest();
  const std::int64_t done = manifest ? manifest->tasks_done : 0;
  if (done == 0) {
    throw InputError(concat(folder.path().string(), ": expected a run with a finished task, found ",
                            describe_missing_run(folder.path())));
  }
  folder.check_newest();
  const std::int64_t task = wanted.value_or(done - 1);
  if (task < 0 || task >= done) {
    throw UsageError(concat("--task ", task + 1, ": ", folder.path().string(), " has finished ",
                            done, done == 1 ? " task" : " tasks"));
  }
  ExportSource source;
  source.description =
      concat(optimum ? "theta*" : "theta_hat", " after task ", task + 1, " of ", done);
  take_heads(folder, task, done, classifier, source);
  std::vector<std::vector<WeightedFactors>> factors;
  bool linear = true, any_learned = false;
  TaskRecord record;
  for (std::int64_t t = 0; t <= task; ++t) {
    record = read_task_parts(folder.task_file(t), {});
    if (record.lora.empty()) continue;  // no factor learned: it adds nothing
    any_learned = true;
    factors.resize(record.lora.size());
    const bool whole = optimum && t == task;
    linear = linear && (whole || is_linear(record));
    if (!linear) continue;
    std::vector<WeightedFactors> part = contribution(record, whole);
    for (std::size_t m = 0; m < part.size(); ++m) factors[m].push_back(std::move(part[m]));
  }
  if (any_learned) merge_up_to(folder, record, optimum, source);
  if (linear) {
    check_sum(factors, source);
    source.factors = std::move(factors);
  }
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
                      .config = with_todays_settings(record.config),
                      .description = concat("weights merged by ", record.rule)};
  std::erase_if(source.heads, [](const Head& head) { return head.classes == 0; });
  if (!record.post_hoc.empty()) source.description += concat("; ", record.post_hoc);
  return source;
}

}  // namespace

ExportSource open_export_source(const std::filesystem::path& path, std::optional<std::int64_t> task,
                                bool optimum, const std::string& classifier) {
  if (std::filesystem::is_directory(path))
    return of_run(RunFolder(path), task, optimum, classifier);
  if (!std::filesystem::exists(path)) {
    throw InputError(
        concat(path.string(), ": expected a run folder or merged weights, found nothing there"));
  }
  if (task || optimum || !classifier.empty()) {
    throw UsageError(concat("--task, --optimum and --classifier choose what a run has, and ",
                            path.string(), " is no run folder"));
  }
  if (const std::string type = read_identity(path).type; type != "merged") {
    throw InputError(concat(path.string(),
                            ": expected a run folder or merged weights (palimpsest merge --out), "
                            "found a record of type '",
                            type, "'", type == "state" ? ": give its run, with --task N" : ""));
  }
  return of_merged(path);
}

}  // namespace palimpsest
