#include "drift.h"

#include <ATen/ATen.h>

#include <cmath>

#include "palimpsest/core/progress.h"
#include "palimpsest/head/head.h"

namespace palimpsest {
namespace {

constexpr double kRidge = 1e-4, kTau = 1;  // as its authors' code

}  // namespace

// With rows of length 1 as columns: A = F_after F_before' (F_before F_before' + ridge I)^-1, and
// then (1 - w) A + w I with w = exp(-samples / (tau features)): few samples say little.
at::Tensor drift_map(const at::Tensor& before, const at::Tensor& after) {
  const std::int64_t width = before.size(1);
  const at::Tensor x = directions(before).to(at::kDouble), y = directions(after).to(at::kDouble);
  const at::Tensor identity = at::eye(width, x.options());
  const at::Tensor products = x.t().mm(x).add(identity, kRidge);
  progress_made();
  const at::Tensor map = at::cholesky_solve(x.t().mm(y), at::linalg_cholesky(products)).t();
  progress_made();
  const double w =
      std::exp(-static_cast<double>(before.size(0)) / (kTau * static_cast<double>(width)));
  return map.mul(1 - w).add(identity, w);
}

ClassMeans moved(const ClassMeans& means, const at::Tensor& map) {
  return {.counts = means.counts, .means = means.means.mm(map.t().to(at::kCPU))};
}

at::Tensor moved_covariance(const at::Tensor& covariance, const at::Tensor& map) {
  return map.mm(covariance).mm(map.t());
}

std::vector<LowRankCovariance> moved(const std::vector<LowRankCovariance>& covariances,
                                     const at::Tensor& map) {
  const at::Tensor on_host = map.to(at::kCPU);
  const double square = on_host.square().sum().item<double>();
  const double mean_square = square / static_cast<double>(map.size(0));
  std::vector<LowRankCovariance> result;
  for (const auto& [factor, rest] : covariances) {
    result.push_back(low_rank_covariance(factor.mm(on_host.t()), rest * mean_square));
    progress_made();
  }
  return result;
}

}  // namespace palimpsest
