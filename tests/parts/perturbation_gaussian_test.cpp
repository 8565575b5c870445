#include <gmock/gmock.h>

#include "palimpsest/perturbation/perturbation.h"

namespace palimpsest {
namespace {

// E |noise|^2 = size^2 |Delta|^2 is E |(c - 1) Delta|^2 over the three signs.
TEST(GaussianPerturbation, NoiseIsAsLongAsTheSignsSteps) {
  const auto gaussian = perturbations().make("gaussian:epsilon=0.5");
  const double sign = (0.25 + 0 + 0.25) / 3;
  EXPECT_NEAR(gaussian->noise_size() * gaussian->noise_size(), sign, 1e-15);
}

TEST(GaussianPerturbation, ItsSeedFollowsSeedTaskAndStepAndTheScaleStaysAsItIs) {
  const auto gaussian = perturbations().make("gaussian");
  const auto seed = [&](std::uint64_t of_run, std::int64_t task, std::int64_t step) {
    const StepPerturbation drawn = gaussian->draw({of_run, task, step}, 8);
    EXPECT_EQ(drawn.c, 1);
    EXPECT_TRUE(drawn.by_sample.empty());
    return drawn.noise_seed;
  };
  EXPECT_NE(seed(1, 0, 0), seed(1, 0, 1));
  EXPECT_NE(seed(1, 0, 0), seed(1, 1, 0));
  EXPECT_NE(seed(1, 0, 0), seed(2, 0, 0));
  EXPECT_EQ(seed(1, 0, 3), seed(1, 0, 3));
}

}  // namespace
}  // namespace palimpsest
