#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <map>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/perturbation/perturbation.h"

namespace palimpsest {
namespace {

TEST(SignPerturbation, DrawsTheThreeScalesEquallyOften) {
  const auto sign = perturbations().make("sign:epsilon=0.5");
  std::map<double, int> counts;
  constexpr int kSteps = 30000;
  for (int step = 0; step < kSteps; ++step) ++counts[sign->draw({1, 0, step}, 8).c];
  ASSERT_EQ(counts.size(), 3u);
  for (const double scale : {0.5, 1.0, 1.5}) {
    EXPECT_NEAR(counts[scale], kSteps / 3, 4 * std::sqrt(kSteps * 2.0 / 9)) << scale;
  }
  EXPECT_FALSE(sign->is_by_sample());
  EXPECT_TRUE(sign->changes_steps());
  EXPECT_EQ(sign->noise_size(), 0);
}

TEST(SignPerturbation, FollowsSeedTaskAndStepAndNotTheSamples) {
  const auto sign = perturbations().make("sign");
  const auto scales = [&](std::uint64_t seed, std::int64_t task, std::int64_t samples) {
    std::vector<double> all;
    for (std::int64_t step = 0; step < 30; ++step)
      all.push_back(sign->draw({seed, task, step}, samples).c);
    return all;
  };
  EXPECT_EQ(scales(1, 0, 8), scales(1, 0, 3));
  EXPECT_NE(scales(1, 0, 8), scales(2, 0, 8));
  EXPECT_NE(scales(1, 0, 8), scales(1, 1, 8));
}

// The least epsilon leaves the scale as it is; none at all is `none`.
TEST(SignPerturbation, EpsilonIsAboveZero) {
  EXPECT_EQ(perturbations().make("sign:epsilon=1e-300")->draw({1, 0, 7}, 8).c, 1);
  EXPECT_THROW(perturbations().make("sign:epsilon=0"), UsageError);
  EXPECT_THROW(perturbations().make("sign:epsilon=1.01"), UsageError);
}

// docs/how-it-works.md, "Stage 1": over the three scales, the mean loss is L + (eps^2 / 3) Delta' H
// Delta to second order. Here with the cross-entropy of a small network in double, H by finite
// differences of the loss along Delta.
TEST(SignPerturbation, AddsTheCurvatureAlongTheTaskVector) {
  constexpr std::size_t kIn = 3, kHidden = 4;
  const auto loss = [&](const std::vector<double>& theta) {
    double total = 0;
    const std::array<std::array<double, kIn>, 4> inputs = {
        {{1, 0.5, -1}, {-0.3, 1.2, 0.4}, {0.7, -0.8, 1.1}, {0.2, 0.1, -0.6}}};
    for (std::size_t n = 0; n < inputs.size(); ++n) {
      std::array<double, 2> logits{};
      for (std::size_t h = 0; h < kHidden; ++h) {
        double sum = 0;
        for (std::size_t i = 0; i < kIn; ++i) sum += theta[h * kIn + i] * inputs[n][i];
        for (std::size_t c = 0; c < 2; ++c)
          logits[c] += theta[kHidden * kIn + c * kHidden + h] * std::tanh(sum);
      }
      total += std::log(std::exp(logits[0]) + std::exp(logits[1])) - logits[n % 2];
    }
    return total / 4;
  };
  const std::size_t size = kHidden * kIn + 2 * kHidden;
  std::vector<double> theta(size), delta(size);
  for (std::size_t k = 0; k < size; ++k) {
    theta[k] = std::sin(1.7 * static_cast<double>(k) + 0.3);
    delta[k] = 0.4 * std::cos(2.3 * static_cast<double>(k));
  }
  const auto along = [&](double c) {
    std::vector<double> moved = theta;
    for (std::size_t k = 0; k < size; ++k) moved[k] += c * delta[k];
    return loss(moved);
  };
  constexpr double kTiny = 1e-4;
  const double curvature = (along(1 + kTiny) + along(1 - kTiny) - 2 * along(1)) / (kTiny * kTiny);
  double previous_error = 0;
  for (const double epsilon : {0.2, 0.1, 0.05}) {
    const auto sign = perturbations().make(concat("sign:epsilon=", epsilon));
    std::map<double, int> seen;
    double mean = 0;
    for (int step = 0; seen.size() < 3; ++step) {
      const double c = sign->draw({5, 0, step}, 8).c;
      if (++seen[c] == 1) mean += along(c) / 3;
    }
    const double error = std::abs(mean - along(1) - epsilon * epsilon / 3 * curvature);
    EXPECT_LT(error, 0.1 * epsilon * epsilon / 3 * std::abs(curvature)) << "epsilon " << epsilon;
    // What is left over is of fourth order: half the epsilon, a sixteenth of it.
    if (previous_error > 0) {
      EXPECT_NEAR(previous_error / error, 16, 2) << "epsilon " << epsilon;
    }
    previous_error = error;
  }
}

}  // namespace
}  // namespace palimpsest
