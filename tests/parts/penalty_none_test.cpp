#include <gtest/gtest.h>

#include "palimpsest/penalty/penalty.h"

namespace palimpsest {
namespace {

TEST(NoPenalty, AddsNothingAndNeedsNothing) {
  const auto none = penalties().make("none");
  EXPECT_FALSE(none->needs_curvature());
  CurvatureMemory memory(1);
  memory.add(std::vector<float>{3}, std::vector<float>{1});
  const QuadraticPenalty penalty = none->quadratic(memory, std::vector<float>{1});
  EXPECT_TRUE(penalty.curvature.empty());
  EXPECT_TRUE(penalty.slope.empty());
}

}  // namespace
}  // namespace palimpsest
