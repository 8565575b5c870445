#pragma once
// The singular directions of a task vector, from its factors.
#include <cstdint>
#include <vector>

#include "palimpsest/merge/merge_rule.h"

namespace palimpsest {

// scale * B A = sum_k u_k v_k': the v_k of length 1, the u_k as long as their singular value, both
// orthogonal among themselves, the largest first.
struct ThinSvd {
  std::int64_t rank = 0;
  std::vector<double> u;  // [out, rank], row-major; a column of zeros where the singular value is 0
  std::vector<double> v;  // [in, rank], row-major
};

// One-sided Jacobi rotations in double, first on A, then on the product (Golub and Van Loan,
// "Matrix Computations", section 8.6.3): nothing of [out, in] is formed. Throws Error on sizes that
// don't fit.
ThinSvd thin_svd(const LowRankFactors& factors, std::int64_t out, std::int64_t in);

}  // namespace palimpsest
