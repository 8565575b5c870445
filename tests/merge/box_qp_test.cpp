#include "palimpsest/merge/box_qp.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"

namespace palimpsest {
namespace {

struct Qp {
  std::size_t n;
  std::vector<double> g, b;
  double value(std::span<const double> x) const {
    double q = 0;
    for (std::size_t i = 0; i < n; ++i) {
      q -= b[i] * x[i];
      for (std::size_t j = 0; j < n; ++j) q += 0.5 * x[i] * g[i * n + j] * x[j];
    }
    return q;
  }
  double slope(std::span<const double> x, std::size_t i) const {
    double s = -b[i];
    for (std::size_t j = 0; j < n; ++j) s += g[i * n + j] * x[j];
    return s;
  }
};

// G = M M' with M [n, rows]: singular where rows < n.
Qp random_qp(std::uint64_t trial, std::size_t n, std::size_t rows) {
  RandomStream random(5, Purpose::kTest, 0, trial);
  std::vector<double> m(n * rows);
  for (double& value : m) value = 2 * random.uniform() - 1;
  Qp qp{.n = n, .g = std::vector<double>(n * n), .b = std::vector<double>(n)};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < rows; ++k) qp.g[i * n + j] += m[i * rows + k] * m[j * rows + k];
    }
  }
  // In the range of G, as a quadratic that is bounded from below has it.
  std::vector<double> free(n);
  for (double& value : free) value = 3 * random.uniform() - 1;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) qp.b[i] += qp.g[i * n + j] * free[j];
  }
  return qp;
}

// No slope leads down into the box: necessary and sufficient for a convex quadratic.
TEST(BoxQp, MeetsTheConditionsOfItsMinimumForAThousandRandomOnes) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const std::size_t n = 1 + trial % 7;
    const Qp qp = random_qp(trial, n, trial % 5 == 0 ? std::max<std::size_t>(1, n - 1) : n + 3);
    std::vector<double> x(n, 0.5);
    solve_box_qp(qp.g, qp.b, x);
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_GE(x[i], 0);
      ASSERT_LE(x[i], 1);
      const double slope = qp.slope(x, i);
      ASSERT_LE(x[i] > 0 ? slope : 0, 1e-8) << "trial " << trial << ", component " << i;
      ASSERT_GE(x[i] < 1 ? slope : 0, -1e-8) << "trial " << trial << ", component " << i;
    }
  }
}

// By hand: 1/2 (x^2 + 2 c x y + y^2) - 2 x - 0.7 y with c = 0.5. Free: x = 2.2, y = -0.4; clamped:
// (1, 0). With x = 1 the best y is 0.7 - 0.5 = 0.2.
TEST(BoxQp, IsNotTheClampedFreeSolution) {
  const std::vector<double> g{1, 0.5, 0.5, 1}, b{2, 0.7};
  std::vector<double> x{0, 0};
  solve_box_qp(g, b, x);
  EXPECT_DOUBLE_EQ(x[0], 1);
  EXPECT_NEAR(x[1], 0.2, 1e-15);
}

TEST(BoxQp, LeavesWhatItDoesNotSee) {
  const std::vector<double> g{0, 0, 0, 2}, b{0, 1};
  std::vector<double> x{0.3, 0.9};
  solve_box_qp(g, b, x);
  EXPECT_EQ(x, (std::vector<double>{0.3, 0.5}));
}

TEST(BoxQp, RefusesWhatIsNotFiniteOrDoesNotFit) {
  std::vector<double> x{0.5};
  EXPECT_THROW(solve_box_qp(std::vector<double>{NAN}, std::vector<double>{1}, x), Error);
  EXPECT_THROW(solve_box_qp(std::vector<double>{1}, std::vector<double>{1, 2}, x), Error);
}

}  // namespace
}  // namespace palimpsest
