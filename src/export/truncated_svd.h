#pragma once
// The closest matrix of a given rank.
#include <Eigen/Core>
#include <cstdint>

namespace palimpsest {

using RowMajorMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// The product b a of a low rank. a: [rank, in], b: [out, rank].
struct LowRankProduct {
  RowMajorMatrix a, b;
};

struct TruncatedSvd {
  LowRankProduct kept;  // each factor takes the root of the singular values
  double squared_norm = 0,
         left_out = 0;  // sums of the squares of all singular values, of those left out
};

// The singular value decomposition of a matrix [out, in], cut after `rank` values (Eckart and
// Young).
TruncatedSvd truncated_svd(const Eigen::Ref<const RowMajorMatrix>& matrix, std::int64_t rank);

}  // namespace palimpsest
