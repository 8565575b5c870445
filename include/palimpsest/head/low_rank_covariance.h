#pragma once
// The covariance of a class's features, as far as its samples say: that of n samples has at most n
// - 1 directions, so a few rows take the place of [features, features] numbers.
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace palimpsest {

// Directions of a class that are kept.
inline constexpr std::int64_t kCovarianceRank = 128;

// factor' factor + rest I, on the host.
struct LowRankCovariance {
  at::Tensor factor;  // [directions, features], float64: orthogonal rows, at least one
  double rest = 0;    // the mean variance of the directions that are not kept
};

// rows' rows + rest I, rows: [n, features], float64. Exact where it has no more than
// kCovarianceRank directions; else its kCovarianceRank largest eigenvalues are, and the others are
// replaced by their mean (probabilistic PCA; Tipping and Bishop, 1999).
LowRankCovariance low_rank_covariance(const at::Tensor& rows, double rest = 0);

}  // namespace palimpsest
