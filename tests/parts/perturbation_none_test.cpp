#include <gmock/gmock.h>

#include "palimpsest/perturbation/perturbation.h"

namespace palimpsest {
namespace {

TEST(NoPerturbation, LeavesEveryStepAsItIs) {
  const auto none = perturbations().make("none");
  EXPECT_FALSE(none->changes_steps());
  EXPECT_FALSE(none->is_by_sample());
  EXPECT_EQ(none->noise_size(), 0);
  for (std::int64_t step = 0; step < 10; ++step) {
    const StepPerturbation drawn = none->draw({1, 2, step}, 8);
    EXPECT_EQ(drawn.c, 1);
    EXPECT_TRUE(drawn.by_sample.empty());
  }
}

}  // namespace
}  // namespace palimpsest
