#include "palimpsest/merge/thin_svd.h"

#include <gmock/gmock.h>

#include "palimpsest/core/error.h"
#include "support.h"

namespace palimpsest {
namespace {

struct Shape {
  std::size_t out, in, rank;
};

double column_dot(std::span<const double> m, std::size_t rank, std::size_t k, std::size_t l) {
  double sum = 0;
  for (std::size_t i = 0; i < m.size() / rank; ++i) sum += m[i * rank + k] * m[i * rank + l];
  return sum;
}

void expect_svd(const LowRankFactors& factors, const Shape& shape, std::size_t true_rank) {
  const ThinSvd svd =
      thin_svd(factors, static_cast<std::int64_t>(shape.out), static_cast<std::int64_t>(shape.in));
  const std::size_t r = shape.rank;
  double norm = 0;
  for (std::size_t k = 0; k < r; ++k) norm += column_dot(svd.u, r, k, k);
  norm = std::sqrt(norm);
  for (std::size_t i = 0; i < shape.out; ++i) {
    for (std::size_t j = 0; j < shape.in; ++j) {
      double product = 0, sum = 0;
      for (std::size_t k = 0; k < r; ++k) {
        product += factors.scale * factors.b[i * r + k] * factors.a[k * shape.in + j];
        sum += svd.u[i * r + k] * svd.v[j * r + k];
      }
      ASSERT_NEAR(sum, product, 1e-13 * (1 + norm));
    }
  }
  for (std::size_t k = 0; k < r; ++k) {
    for (std::size_t l = 0; l < k; ++l) {
      ASSERT_NEAR(column_dot(svd.u, r, k, l), 0, 1e-13 * norm * norm);
      ASSERT_NEAR(column_dot(svd.v, r, k, l), 0, 1e-13);
      ASSERT_LE(column_dot(svd.u, r, k, k), column_dot(svd.u, r, l, l));
    }
    if (k < true_rank) {
      ASSERT_NEAR(column_dot(svd.v, r, k, k), 1, 1e-13);
    } else {
      ASSERT_LE(column_dot(svd.u, r, k, k), 1e-24 * norm * norm);
    }
  }
}

TEST(ThinSvd, GivesOrthogonalDirectionsThatAddUpForAThousandRandomFactors) {
  const Shape shapes[] = {{4, 5, 2}, {7, 3, 3}, {3, 9, 1}, {12, 10, 4}, {2, 2, 2}};
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Shape& shape = shapes[trial % std::size(shapes)];
    const auto a = random_values(shape.rank * shape.in, 2 * trial),
               b = random_values(shape.out * shape.rank, 2 * trial + 1);
    expect_svd({.a = a, .b = b, .rank = static_cast<std::int64_t>(shape.rank), .scale = 2}, shape,
               shape.rank);
  }
}

// More rank than the matrix can have, equal rows, and nothing at all.
TEST(ThinSvd, DropsDirectionsThatAreNotThere) {
  auto a = random_values(4 * 3, 1), b = random_values(5 * 4, 2);
  expect_svd({.a = a, .b = b, .rank = 4, .scale = 1}, {5, 3, 4}, 3);
  std::copy_n(a.begin(), 3, a.begin() + 3);
  std::copy_n(a.begin(), 3, a.begin() + 6);
  expect_svd({.a = a, .b = b, .rank = 4, .scale = 1}, {5, 3, 4}, 2);
  std::fill(b.begin(), b.end(), 0.0f);
  expect_svd({.a = a, .b = b, .rank = 4, .scale = 1}, {5, 3, 4}, 0);
}

// By hand: diag(3, 2) has the axes as directions, 3 and 2 as singular values.
TEST(ThinSvd, OfADiagonalMatrix) {
  const std::vector<float> a{1, 0, 0, 1}, b{2, 0, 0, 3};
  const ThinSvd svd = thin_svd({.a = a, .b = b, .rank = 2}, 2, 2);
  EXPECT_EQ(svd.u, (std::vector<double>{0, 2, 3, 0}));
  EXPECT_EQ(svd.v, (std::vector<double>{0, 1, 1, 0}));
  EXPECT_THROW(thin_svd({.a = a, .b = b, .rank = 1}, 2, 2), Error);
}

}  // namespace
}  // namespace palimpsest
