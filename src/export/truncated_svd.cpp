#include "truncated_svd.h"

#include <Eigen/SVD>

namespace palimpsest {

TruncatedSvd truncated_svd(const Eigen::Ref<const RowMajorMatrix>& matrix, std::int64_t rank) {
  const Eigen::BDCSVD<Eigen::MatrixXd> svd(matrix.cast<double>(),
                                           Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Eigen::VectorXd& values = svd.singularValues();
  const Eigen::Index kept = std::min<Eigen::Index>(rank, values.size());
  const Eigen::VectorXd roots = values.head(kept).cwiseSqrt();
  return {.kept = {(roots.asDiagonal() * svd.matrixV().leftCols(kept).transpose()).cast<float>(),
                   (svd.matrixU().leftCols(kept) * roots.asDiagonal()).cast<float>()},
          .squared_norm = values.squaredNorm(),
          .left_out = values.tail(values.size() - kept).squaredNorm()};
}

}  // namespace palimpsest
