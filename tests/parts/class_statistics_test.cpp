#include "palimpsest/head/class_statistics.h"

#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;

TEST(ClassStatisticsTest, ByHand) {
  const std::vector<float> features = {1, 2, 5, 5, 3, 6};
  const std::vector<std::int64_t> targets = {0, 1, 0};
  const ClassStatistics found = class_statistics(features, targets, 2);
  EXPECT_EQ(found.classes, 2);
  EXPECT_EQ(found.features, 2);
  EXPECT_THAT(found.mean, ElementsAre(2, 4, 5, 5));
  EXPECT_THAT(found.variance, ElementsAre(2, 8, 0, 0));
  EXPECT_THROW(class_statistics(features, targets, 3), Error);
}

TEST(ClassStatisticsTest, WhatIsDrawnIsNormalWithTheirMeanAndVariance) {
  constexpr std::int64_t kDraws = 20'000;
  const ClassStatistics asked{2, 3, {1, -2, 0.5f, 0, 30, 1e-3f}, {4, 0.25f, 0, 1, 100, 1e-6f}};
  std::vector<float> drawn;
  draw_features(asked, 1, 2, 0, kDraws, drawn);
  ASSERT_EQ(drawn.size(), 2 * kDraws * 3);
  std::vector<std::int64_t> targets(kDraws, 0);
  targets.resize(2 * kDraws, 1);
  const ClassStatistics found = class_statistics(drawn, targets, 2);
  for (std::size_t i = 0; i < 6; ++i) {
    const double variance = asked.variance[i], deviation = std::sqrt(variance);
    // Five standard errors.
    EXPECT_NEAR(found.mean[i], asked.mean[i], 5 * deviation / std::sqrt(kDraws) + 1e-9) << i;
    EXPECT_NEAR(found.variance[i], variance, 5 * std::sqrt(2.0 / kDraws) * variance) << i;
    if (variance == 0) continue;
    std::int64_t near = 0;  // within one deviation of the mean: 68.27 % of a normal distribution
    for (std::size_t draw = 0; draw < kDraws; ++draw) {
      const double value = drawn[(i / 3 * kDraws + draw) * 3 + i % 3];
      near += std::abs(value - asked.mean[i]) <= deviation ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(near) / kDraws, 0.6827, 0.017) << i;
  }
  // Features are independent of one another.
  double product = 0;
  for (std::size_t draw = 0; draw < kDraws; ++draw) {
    product += (drawn[draw * 3] - 1) / 2 * (drawn[draw * 3 + 1] + 2) / 0.5;
  }
  EXPECT_NEAR(product / kDraws, 0, 5 / std::sqrt(kDraws));
}

TEST(ClassStatisticsTest, ADrawIsAFunctionOfSeedTaskClassAndNumber) {
  const ClassStatistics two{2, 2, {0, 0, 0, 0}, {1, 1, 1, 1}}, one{1, 2, {0, 0}, {1, 1}};
  const auto drawn = [](const ClassStatistics& statistics, std::uint64_t seed, std::int64_t task,
                        std::int64_t first_class, std::int64_t draws) {
    std::vector<float> values;
    draw_features(statistics, seed, task, first_class, draws, values);
    return values;
  };
  const std::vector<float> all = drawn(two, 1, 4, 6, 3), second = drawn(one, 1, 4, 7, 3);
  EXPECT_EQ(std::vector<float>(all.begin() + 6, all.end()), second);
  EXPECT_EQ(std::vector<float>(second.begin(), second.begin() + 2), drawn(one, 1, 4, 7, 1));
  EXPECT_NE(second, drawn(one, 2, 4, 7, 3));
  EXPECT_NE(second, drawn(one, 1, 5, 7, 3));
  EXPECT_NE(second, drawn(one, 1, 4, 6, 3));
}

}  // namespace
}  // namespace palimpsest
