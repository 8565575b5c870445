#include <gtest/gtest.h>

#include "merge/support.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/penalty/penalty.h"

namespace palimpsest {
namespace {

TEST(EwcPenalty, IsWorkedOutByHand) {
  CurvatureMemory memory(2);
  memory.add(std::vector<float>{1, 2}, std::vector<float>{3, 0});
  memory.add(std::vector<float>{0, 4}, std::vector<float>{5, 1});
  // S0 = (1, 6), S1 = (3, 4).
  const auto ewc = penalties().make("ewc:weight=2");
  EXPECT_TRUE(ewc->needs_curvature());
  const QuadraticPenalty penalty = ewc->quadratic(memory, std::vector<float>{1, 0.5});
  EXPECT_EQ(penalty.curvature, (std::vector<float>{2, 12}));
  EXPECT_EQ(penalty.slope, (std::vector<float>{-4, -2}));
  EXPECT_THROW(ewc->quadratic(memory, std::vector<float>{1}), Error);
}

// The sum over tasks, written out: how much it rises from Delta = 0 to a random Delta.
TEST(EwcPenalty, RisesAsTheSumOverTasksDoes) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const RandomStreamOfTasks stream(trial);
    const double lambda = 0.5 + static_cast<double>(trial % 7);
    const QuadraticPenalty penalty =
        penalties().make(concat("ewc:weight=", lambda))->quadratic(stream.memory, stream.merged);
    const std::vector<float> delta = random_values(stream.merged.size(), 100 * trial + 50);
    const auto written_out = [&](double length) {
      double sum = 0;
      for (std::size_t task = 0; task < stream.fishers.size(); ++task) {
        for (std::size_t i = 0; i < delta.size(); ++i) {
          const double distance = stream.merged[i] + length * delta[i] - stream.optima[task][i];
          sum += lambda / 2 * stream.fishers[task][i] * distance * distance;
        }
      }
      return sum;
    };
    double ours = 0;
    for (std::size_t i = 0; i < delta.size(); ++i) {
      ours += 0.5 * penalty.curvature[i] * delta[i] * delta[i] + penalty.slope[i] * delta[i];
    }
    // The two coefficients are rounded to float.
    EXPECT_NEAR(ours, written_out(1) - written_out(0), 1e-5 * written_out(1)) << "trial " << trial;
  }
}

TEST(EwcPenalty, IsChosenByItsSetting) {
  RunConfig config;
  EXPECT_FALSE(penalties().make(config.penalty)->needs_curvature());
  config.penalty = "ewc:weight=2";
  CurvatureMemory memory(1);
  memory.add(std::vector<float>{3}, std::vector<float>{1});
  EXPECT_EQ(penalties().make(config.penalty)->quadratic(memory, std::vector<float>{0}).curvature,
            (std::vector<float>{6}));
}

}  // namespace
}  // namespace palimpsest
