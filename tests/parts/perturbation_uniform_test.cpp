#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "palimpsest/perturbation/perturbation.h"

namespace palimpsest {
namespace {

TEST(UniformPerturbation, IsOneForTheFirstTaskAndThenBetweenTheShareOfATaskAndOne) {
  constexpr int kSteps = 10000;
  const auto uniform = perturbations().make("uniform");
  EXPECT_EQ(uniform->draw({1, 0, 17}, 8).c, 1);
  for (const std::int64_t task : {1, 4}) {
    const double least = 1 / static_cast<double>(task + 1);
    double sum = 0, lowest = 1;
    for (int step = 0; step < kSteps; ++step) {
      const double c = uniform->draw({1, task, step}, 8).c;
      ASSERT_GE(c, least);
      ASSERT_LT(c, 1);
      sum += c;
      lowest = std::min(lowest, c);
    }
    const double deviation = (1 - least) / std::sqrt(12.0 * kSteps);
    EXPECT_NEAR(sum / kSteps, (1 + least) / 2, 5 * deviation);
    EXPECT_LT(lowest, least + 0.01);
  }
}

}  // namespace
}  // namespace palimpsest
