#include "class_covariance.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "palimpsest/core/progress.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/head/head.h"

namespace palimpsest {
namespace {

LowRankCovariance zero_covariance(std::int64_t features) {
  return {.factor = at::zeros({1, features}, at::kDouble), .rest = 0};
}

std::string at_name(const std::string& instance, const char* name) { return instance + '/' + name; }

}  // namespace

std::vector<LowRankCovariance> class_covariances(const TaskFeatures& task,
                                                 const ClassMeans& means) {
  std::vector<LowRankCovariance> all;
  for (std::int64_t c = 0; c < task.classes; ++c) {
    const at::Tensor chosen = task.targets.eq(c).nonzero().flatten();
    const at::Tensor rows = task.rows.index_select(0, chosen).to(at::kDouble);
    const at::Tensor centred = rows.sub(means.means[c].to(rows.device()));
    const auto others = static_cast<double>(rows.size(0) - 1);
    all.push_back(others < 1 ? zero_covariance(task.features())
                             : low_rank_covariance(centred.div(std::sqrt(others)), 0));
    progress_made();
  }
  return all;
}

std::vector<LowRankCovariance> joined_covariances(std::vector<LowRankCovariance> known,
                                                  const ClassMeans& known_means,
                                                  const std::vector<LowRankCovariance>& task,
                                                  const ClassMeans& task_means,
                                                  const ClassesSeen& seen) {
  if (!seen.shared || known.empty()) {
    known.insert(known.end(), task.begin(), task.end());
    return known;
  }
  for (std::size_t c = 0; c < known.size(); ++c) {
    const auto i = static_cast<std::int64_t>(c);
    const double before = known_means.counts[i].item<double>();
    const double now = task_means.counts[i].item<double>(), both = before + now;
    if (now == 0) continue;
    const double others = std::max(both - 1, 1.0);
    const double known_share = std::max(before - 1, 0.0) / others;
    const double task_share = std::max(now - 1, 0.0) / others;
    const at::Tensor apart = task_means.means[i].sub(known_means.means[i]).unsqueeze(0);
    const at::Tensor rows = at::cat({known[c].factor.mul(std::sqrt(known_share)),
                                     task[c].factor.mul(std::sqrt(task_share)),
                                     apart.mul(std::sqrt(before * now / both / others))});
    known[c] = low_rank_covariance(rows, known_share * known[c].rest + task_share * task[c].rest);
  }
  return known;
}

std::vector<LowRankCovariance> class_covariances_in(const NamedTensors& memory,
                                                    const std::string& instance,
                                                    std::int64_t features) {
  std::vector<LowRankCovariance> all;
  if (!memory.contains(at_name(instance, "factor"))) return all;
  const auto& rest = memory.values<double>(at_name(instance, "rest"), {kAnySize});
  const auto classes = std::ssize(rest);
  const auto& directions = memory.values<std::int64_t>(at_name(instance, "directions"), {classes});
  std::int64_t rows = 0, first = 0;
  for (const std::int64_t count : directions) rows += count;
  const auto& values = memory.values<float>(at_name(instance, "factor"), {rows, features});
  const at::Tensor factors = from_host(values, {rows, features}, at::kCPU);
  for (std::size_t c = 0; c < directions.size(); ++c) {
    all.push_back(
        {.factor = factors.narrow(0, first, directions[c]).to(at::kDouble), .rest = rest[c]});
    first += directions[c];
  }
  return all;
}

void put_class_covariances(NamedTensors& memory, const std::string& instance,
                           const std::vector<LowRankCovariance>& covariances) {
  std::vector<at::Tensor> factors;
  std::vector<std::int64_t> directions;
  std::vector<double> rest;
  for (const LowRankCovariance& one : covariances) {
    factors.push_back(one.factor);
    directions.push_back(one.factor.size(0));
    rest.push_back(one.rest);
  }
  const at::Tensor all = at::cat(factors);
  const auto classes = std::ssize(covariances);
  memory.put(at_name(instance, "factor"),
             {.dims = all.sizes().vec(), .values = to_host(all.to(at::kFloat))});
  memory.put(at_name(instance, "directions"), {.dims = {classes}, .values = directions});
  memory.put(at_name(instance, "rest"), {.dims = {classes}, .values = rest});
}

std::vector<std::string_view> class_covariance_arrays() { return {"factor", "directions", "rest"}; }

CorrelationDistances::CorrelationDistances(const std::vector<LowRankCovariance>& covariances,
                                           const at::Tensor& means, double shrink,
                                           const at::TensorOptions& options) {
  for (std::size_t c = 0; c < covariances.size(); ++c) {
    const auto& [factor, rest] = covariances[c];
    const at::Tensor variances = factor.square().sum(0).add(rest);
    const double mean = variances.mean().item<double>();
    const bool varies = mean > kLeastVariance * means.square().mean().item<double>();
    const double added = varies ? rest + shrink * mean : 1;
    // S^-1 = (I - sum r r') / added over the rows r of the factor, each over sqrt(added + |row|^2).
    const at::Tensor scale = variances.sub(rest).add(added).div(added).sqrt();
    const at::Tensor lengths = factor.square().sum(1, /*keepdim=*/true).add(added).sqrt();
    distances_.push_back({.mean = means[static_cast<std::int64_t>(c)].to(options),
                          .scale = scale.to(options),
                          .factor = factor.div(lengths).mul(scale).to(options)});
  }
}

at::Tensor CorrelationDistances::operator()(const at::Tensor& features) const {
  std::vector<at::Tensor> columns;
  for (const auto& [mean, scale, factor] : distances_) {
    const at::Tensor apart = features.sub(mean);
    columns.push_back(apart.mm(factor.t()).square().sum(1) - apart.mul(scale).square().sum(1));
  }
  return at::stack(columns, 1).mul(0.5);
}

}  // namespace palimpsest
