#include "palimpsest/head/low_rank_covariance.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "palimpsest/head/head.h"

namespace palimpsest {

LowRankCovariance low_rank_covariance(const at::Tensor& rows, double rest) {
  const std::int64_t features = rows.size(1);
  const bool is_wide = rows.size(0) < features;
  const at::Tensor products = is_wide ? rows.mm(rows.t()) : rows.t().mm(rows);
  const auto [ascending, vectors] = at::linalg_eigh(products);
  constexpr double kRounding = 1e-12;  // of the largest: what is below is zero
  const at::Tensor is_above = ascending.gt(ascending[-1].mul(kRounding));
  const at::Tensor values = ascending.mul(is_above).clamp_min(0).flip(0), basis = vectors.flip(1);
  const std::int64_t count =
      std::clamp<std::int64_t>(is_above.sum().item<std::int64_t>(), 1, kCovarianceRank);
  const at::Tensor kept = values.narrow(0, 0, count);
  const double dropped = values.slice(0, count).sum().item<double>();
  const double share = features > count ? dropped / static_cast<double>(features - count) : 0;
  at::Tensor factor = basis.narrow(1, 0, count).t();
  if (is_wide) factor = directions(factor.mm(rows));
  const at::Tensor lengths = kept.sub(share).clamp_min(0).sqrt().unsqueeze(1);
  return {.factor = factor.mul(lengths).to(at::kCPU), .rest = rest + share};
}

}  // namespace palimpsest
