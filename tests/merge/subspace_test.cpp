// The finer levels of the closed form: by module, direction and coordinate, and their shrinkage.
#include <gmock/gmock.h>

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/merge/thin_svd.h"
#include "support.h"

namespace palimpsest {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

// By hand, two modules of one weight each. Both tasks have F = 1 in module a, where theta_1* = 1 =
// theta_hat and Delta = 2: the middle, 1/2. In module b, F_1 = 3 and F_2 = 1, theta_1* = 0 =
// theta_hat, Delta = 1: a quarter. One alpha: (4 + 1) / (8 + 4).
struct ByHand {
  AdaptedLayout layout{{{.name = "a", .out = 1, .in = 1}, {.name = "b", .out = 1, .in = 1}}};
  std::vector<float> merged{1, 0}, delta{2, 1}, one{1}, two{2};
  std::vector<LowRankFactors> factors{{.a = two, .b = one, .rank = 1},
                                      {.a = one, .b = one, .rank = 1}};
  CurvatureMemory memory{2};
  ByHand() {
    memory.add(std::vector<float>{1, 3}, std::vector<float>{1, 0});
    memory.add(std::vector<float>{1, 1}, std::vector<float>{3, 1});
  }
  MergeInput input(std::int64_t task = 1) const {
    return {.task = task,
            .merged = merged,
            .task_vector = delta,
            .layout = layout,
            .memory = memory,
            .factors = factors};
  }
};

TEST(FinerClosedForm, ByHand) {
  const ByHand hand;
  EXPECT_DOUBLE_EQ(merged_by("closed-form", hand.input()).output.coefficients[0], 5.0 / 12);
  const auto by_module = merged_by("closed-form:by=module", hand.input());
  EXPECT_THAT(by_module.output.coefficients, ElementsAre(0.5, 0.25));
  EXPECT_THAT(by_module.weights, ElementsAre(2, 0.25));
  EXPECT_EQ(by_module.output.alpha_unclamped, std::nullopt);
  // One direction a module: the same.
  const auto by_direction = merged_by("closed-form:by=direction", hand.input());
  EXPECT_THAT(by_direction.output.coefficients, ElementsAre(0.5, 0.25));
  EXPECT_THAT(by_direction.weights, ElementsAre(2, 0.25));
  // (1 * 1 + 1 * 3) / 2 and (3 * 0 + 1 * 1) / 4
  const auto by_coordinate = merged_by("closed-form:by=coordinate", hand.input());
  EXPECT_THAT(by_coordinate.weights, ElementsAre(2, 0.25));
  // ((2 - 1) * 2 + (0.25 - 0) * 1) / (4 + 1)
  EXPECT_THAT(by_coordinate.output.coefficients, ElementsAre(0.45));
}

// Denominators 8 and 4, mean 6: lambda = 2 pulls with 12 towards alpha = 5/12.
TEST(FinerClosedForm, ShrinksByHand) {
  const ByHand hand;
  const auto drawn = merged_by("closed-form:by=module,shrink=2", hand.input());
  EXPECT_THAT(drawn.output.coefficients,
              ElementsAre(testing::DoubleEq((4 + 5.0) / 20), testing::DoubleEq((1 + 5.0) / 16)));
}

TEST(FinerClosedForm, TakesTheFirstTaskWhole) {
  const ByHand hand;
  for (const char* const rule :
       {"closed-form:by=module", "closed-form:by=direction", "closed-form:by=coordinate"}) {
    const auto merged = merged_by(rule, hand.input(0));
    EXPECT_THAT(merged.output.coefficients, Each(1.0)) << rule;
    EXPECT_THAT(merged.weights, ElementsAre(3, 1)) << rule;
  }
}

// The property of the family: a finer subspace contains the coarser one, so Q is never higher.
TEST(FinerClosedForm, IsNeverHigherInQForAThousandRandomStreams) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const RandomStreamOfTasks stream(trial, 1 + static_cast<std::int64_t>(trial % 4));
    double coarser = stream.quadratic(merged_by("closed-form", stream.input()).weights);
    for (const char* const rule :
         {"closed-form:by=module", "closed-form:by=direction", "closed-form:by=coordinate"}) {
      const auto merged = merged_by(rule, stream.input());
      const double q = stream.quadratic(merged.weights);
      ASSERT_LE(q, coarser * (1 + 1e-6)) << "trial " << trial << ", " << rule;
      coarser = q;
    }
  }
}

// No step from the merge along a module or a direction, inside the box, is lower.
TEST(FinerClosedForm, MinimisesQInItsSubspaceForAThousandRandomStreams) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const RandomStreamOfTasks stream(trial);
    const auto merged = merged_by("closed-form:by=direction", stream.input());
    const double q = stream.quadratic(merged.weights);
    std::size_t at = 0;
    for (std::size_t m = 0; m < 2; ++m) {
      const AdaptedModule& module = stream.layout.modules()[m];
      const ThinSvd svd = thin_svd(stream.factors[m], module.out, module.in);
      for (std::size_t k = 0; k < 2; ++k, ++at) {
        const double a = merged.output.coefficients[at];
        ASSERT_TRUE(0 <= a && a <= 1);
        for (const double step : {std::max(0.0, a - 0.02) - a, std::min(1.0, a + 0.02) - a}) {
          std::vector<float> other = merged.weights;
          for (std::size_t e = 0; e < static_cast<std::size_t>(module.size()); ++e) {
            const std::size_t i = e / static_cast<std::size_t>(module.in),
                              j = e % static_cast<std::size_t>(module.in);
            other[static_cast<std::size_t>(module.offset) + e] +=
                static_cast<float>(step * svd.u[i * 2 + k] * svd.v[j * 2 + k]);
          }
          ASSERT_LE(q, stream.quadratic(other) * (1 + 1e-6)) << "trial " << trial;
        }
      }
    }
  }
}

TEST(FinerClosedForm, ByCoordinateIsTheFisherMeanForAThousandRandomStreams) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const RandomStreamOfTasks stream(trial);
    const auto merged = merged_by("closed-form:by=coordinate", stream.input());
    for (std::size_t i = 0; i < merged.weights.size(); ++i) {
      double weights = 0, fisher = 0;
      for (std::size_t task = 0; task < 3; ++task) {
        weights += static_cast<double>(stream.fishers[task][i]) * stream.optima[task][i];
        fisher += stream.fishers[task][i];
      }
      ASSERT_FLOAT_EQ(merged.weights[i], static_cast<float>(weights / fisher)) << trial;
    }
  }
}

// A wide pull ends at the coarser level, none at the finer; between them, between.
TEST(FinerClosedForm, ShrinkageLeadsToTheCoarserLevel) {
  const char* const levels[] = {"global", "module", "direction", "coordinate"};
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const RandomStreamOfTasks stream(trial);
    const auto coarsest = merged_by("closed-form", stream.input());
    for (std::size_t level = 1; level < 4; ++level) {
      const std::string rule = std::string("closed-form:by=") + levels[level];
      const auto wide = merged_by(rule + ",shrink=1e12", stream.input());
      for (std::size_t i = 0; i < wide.weights.size(); ++i) {
        ASSERT_NEAR(wide.weights[i], coarsest.weights[i], 1e-6) << "trial " << trial << rule;
      }
      const auto free = merged_by(rule, stream.input());
      const auto little = merged_by(rule + ",shrink=1e-12", stream.input());
      for (std::size_t i = 0; i < free.weights.size(); ++i) {
        ASSERT_NEAR(little.weights[i], free.weights[i], 1e-5) << "trial " << trial << rule;
      }
      const double drawn =
          stream.quadratic(merged_by(rule + ",shrink=0.3", stream.input()).weights);
      ASSERT_LE(drawn, stream.quadratic(coarsest.weights) * (1 + 1e-6)) << trial << rule;
      ASSERT_GE(drawn, stream.quadratic(free.weights) * (1 - 1e-6)) << trial << rule;
    }
  }
}

// Where S0 = 0: a module keeps alpha, a coordinate theta_hat; drawn, the coordinate keeps the
// coarser level.
TEST(FinerClosedForm, WhatNoFisherSeesKeepsTheCoarserValue) {
  ByHand hand;
  hand.memory = CurvatureMemory(2);
  hand.memory.add(std::vector<float>{1, 0}, std::vector<float>{1, 0});
  hand.memory.add(std::vector<float>{1, 0}, std::vector<float>{3, 1});
  for (const char* const rule :
       {"closed-form:by=module", "closed-form:by=module,shrink=1", "closed-form:by=direction",
        "closed-form:by=direction,shrink=1", "closed-form:by=coordinate,shrink=1"}) {
    EXPECT_THAT(merged_by(rule, hand.input()).weights, ElementsAre(2, 0.5)) << rule;
  }
  EXPECT_THAT(merged_by("closed-form:by=coordinate", hand.input()).weights, ElementsAre(2, 0));
}

TEST(FinerClosedForm, SaysWhatItNeeds) {
  EXPECT_FALSE(make_merge_rule("closed-form:by=module")->needs().factors);
  EXPECT_TRUE(make_merge_rule("closed-form:by=direction")->needs().factors);
  EXPECT_FALSE(make_merge_rule("closed-form:by=coordinate")->needs().factors);
  EXPECT_TRUE(make_merge_rule("closed-form:by=coordinate,shrink=1")->needs().factors);
  EXPECT_THAT([] { make_merge_rule("closed-form:shrink=1"); },
              ThrowsMessage<UsageError>(HasSubstr("by = global is the coarsest")));
  ByHand hand;
  hand.factors.clear();
  EXPECT_THAT([&] { merged_by("closed-form:by=direction", hand.input()); },
              ThrowsMessage<Error>(HasSubstr("factors of 0 modules for 2")));
}

}  // namespace
}  // namespace palimpsest
