#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "palimpsest/perturbation/perturbation.h"

namespace palimpsest {
namespace {

TEST(StratifiedPerturbation, EveryStepHasAThirdOfEachScale) {
  const auto stratified = perturbations().make("stratified:epsilon=0.5");
  EXPECT_TRUE(stratified->is_by_sample());
  constexpr int kSteps = 3000;
  for (const std::int64_t samples : {1, 2, 3, 7, 30}) {
    std::map<float, int> counts;
    std::vector<int> longer(static_cast<std::size_t>(samples));
    for (int step = 0; step < kSteps; ++step) {
      const StepPerturbation drawn = stratified->draw({1, 2, step}, samples);
      const std::vector<float>& scales = drawn.by_sample;
      ASSERT_EQ(std::ssize(scales), samples);
      EXPECT_DOUBLE_EQ(drawn.c, std::accumulate(scales.begin(), scales.end(), 0.0) /
                                    static_cast<double>(samples));
      for (const float scale : {0.5F, 1.0F, 1.5F}) {
        const auto count = std::ranges::count(scales, scale);
        EXPECT_GE(count, samples / 3);
        EXPECT_LE(count, (samples + 2) / 3);
        counts[scale] += static_cast<int>(count);
      }
      for (std::size_t i = 0; i < scales.size(); ++i) longer[i] += scales[i] == 1.5F ? 1 : 0;
    }
    // Over steps what is left of a batch is shared, and no position is favoured: within five
    // standard deviations of independent draws, which have more.
    const double deviation = 5 * std::sqrt(kSteps * 2.0 / 9);
    for (const auto& [scale, count] : counts) {
      EXPECT_NEAR(count, kSteps * static_cast<double>(samples) / 3, deviation) << scale;
    }
    for (const int count : longer) EXPECT_NEAR(count, kSteps / 3.0, deviation);
  }
}

TEST(StratifiedPerturbation, FollowsSeedTaskAndStep) {
  const auto stratified = perturbations().make("stratified");
  const auto scales = [&](std::uint64_t seed, std::int64_t task, std::int64_t step) {
    return stratified->draw({seed, task, step}, 30).by_sample;
  };
  EXPECT_EQ(scales(1, 0, 0), scales(1, 0, 0));
  EXPECT_NE(scales(1, 0, 0), scales(2, 0, 0));
  EXPECT_NE(scales(1, 0, 0), scales(1, 1, 0));
  EXPECT_NE(scales(1, 0, 0), scales(1, 0, 1));
}

// The mean over steps of a batch's mean loss is what the sign gives, for losses that differ from
// sample to sample: the mean over the three scales. And it varies less from step to step.
TEST(StratifiedPerturbation, HasTheExpectationOfTheSignAndASmallerVariance) {
  constexpr std::int64_t kSamples = 10, kSteps = 20000;
  const auto loss = [](std::int64_t sample, double c) {
    const double at = 0.3 * static_cast<double>(sample) + c;
    return at * at + 0.1 * std::sin(3 * at);
  };
  double expected = 0;
  for (std::int64_t n = 0; n < kSamples; ++n) {
    for (const double c : {0.5, 1.0, 1.5}) expected += loss(n, c) / (3 * kSamples);
  }
  const auto moments = [&](const auto& draw_scales) {
    double sum = 0, squares = 0;
    for (std::int64_t step = 0; step < kSteps; ++step) {
      const std::vector<float> scales = draw_scales(step);
      double mean = 0;
      for (std::int64_t n = 0; n < kSamples; ++n) {
        mean += loss(n, scales[static_cast<std::size_t>(n)]) / kSamples;
      }
      sum += mean;
      squares += mean * mean;
    }
    return std::pair(sum / kSteps, squares / kSteps - sum * sum / kSteps / kSteps);
  };
  const auto by_sample = perturbations().make("stratified:epsilon=0.5");
  const auto by_step = perturbations().make("sign:epsilon=0.5");
  const auto [stratified, its_variance] = moments([&](std::int64_t step) {
    return by_sample->draw({3, 0, step}, kSamples).by_sample;
  });
  const auto [sign, sign_variance] = moments([&](std::int64_t step) {
    return std::vector<float>(kSamples,
                              static_cast<float>(by_step->draw({3, 0, step}, kSamples).c));
  });
  EXPECT_NEAR(stratified, expected, 5 * std::sqrt(its_variance / kSteps));
  EXPECT_NEAR(sign, expected, 5 * std::sqrt(sign_variance / kSteps));
  EXPECT_LT(its_variance, 0.1 * sign_variance);
}

}  // namespace
}  // namespace palimpsest
