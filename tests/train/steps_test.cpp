// The pure functions of a step: which samples, which scale, which learning rate.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/train/perturbation.h"
#include "palimpsest/optimizer/schedule.h"

namespace palimpsest {
namespace {

TEST(Sampler, EveryPassHoldsEverySampleOnceAndKeepsTheShortBatch) {
  const Sampler sampler({1, 30, false}, 0, 70);
  EXPECT_EQ(sampler.steps_per_pass(), 3);
  for (std::int64_t pass = 0; pass < 2; ++pass) {
    std::vector<std::int64_t> all;
    for (std::int64_t step = 3 * pass; step < 3 * pass + 3; ++step) {
      const auto batch = sampler.batch(step);
      EXPECT_EQ(batch.size(), step % 3 == 2 ? 10u : 30u);
      all.insert(all.end(), batch.begin(), batch.end());
    }
    std::ranges::sort(all);
    for (std::size_t i = 0; i < 70; ++i) EXPECT_EQ(all[i], static_cast<std::int64_t>(i));
  }
  EXPECT_NE(sampler.batch(0), sampler.batch(3));
  EXPECT_EQ(sampler.batch(4), Sampler({1, 30, false}, 0, 70).batch(4))
      << "a batch depends on what was drawn before it";
  EXPECT_NE(sampler.batch(0), Sampler({1, 30, false}, 1, 70).batch(0));
}

TEST(Sampler, DropLastDropsTheShortBatchAndRefusesToDropAll) {
  EXPECT_EQ(Sampler({1, 30, true}, 0, 70).steps_per_pass(), 2);
  EXPECT_THAT(
      [] {
        Sampler({1, 30, true}, 2, 20);
      },
      testing::ThrowsMessage<UsageError>(
          testing::AllOf(testing::HasSubstr("task 3"), testing::HasSubstr("20"))));
}

TEST(Sampler, LanesAreEvenInSamplesAndTokens) {
  using testing::ElementsAre;
  EXPECT_THAT(deal({10, 11, 12, 13, 14}, {7, 9, 1, 3, 5}, 2),
              ElementsAre(ElementsAre(11, 13, 12), ElementsAre(10, 14)))
      << "by length: 11 10 | 14 13 | 12, there and back";
  EXPECT_THAT(deal({10, 11, 12, 13}, {4, 4, 4, 4}, 3),
              ElementsAre(ElementsAre(10), ElementsAre(11), ElementsAre(12, 13)))
      << "samples of one length keep their order";
  EXPECT_THAT(deal({10}, {4}, 3),
              ElementsAre(ElementsAre(10), testing::IsEmpty(), testing::IsEmpty()));
}

TEST(Perturbation, DrawsTheThreeScalesEquallyOften) {
  std::map<double, int> counts;
  constexpr int kSteps = 30000;
  for (int step = 0; step < kSteps; ++step) ++counts[perturbation_scale(1, 0, step, 0.5)];
  ASSERT_EQ(counts.size(), 3u);
  for (const double scale : {0.5, 1.0, 1.5}) {
    EXPECT_NEAR(counts[scale], kSteps / 3, 4 * std::sqrt(kSteps * 2.0 / 9)) << scale;
  }
  EXPECT_EQ(perturbation_scale(1, 0, 7, 0), 1);
}

// docs/how-it-works.md, "Stage 1": over the three scales, the mean loss is L + (eps^2 / 3) Delta' H
// Delta to second order. Here with the cross-entropy of a small network in double, H by finite
// differences of the loss along Delta.
TEST(Perturbation, AddsTheCurvatureAlongTheTaskVector) {
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
    std::map<double, int> seen;
    double mean = 0;
    for (int step = 0; seen.size() < 3; ++step) {
      const double c = perturbation_scale(5, 0, step, epsilon);
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

TEST(ScheduleTest, FollowsItsFormula) {
  EXPECT_EQ(learning_rate_factor({.kind = "constant"}, 7, 10), 1);
  EXPECT_DOUBLE_EQ(learning_rate_factor({.kind = "cosine"}, 0, 10), 1);
  EXPECT_DOUBLE_EQ(learning_rate_factor({.kind = "cosine"}, 5, 10), 0.5);
  EXPECT_GT(learning_rate_factor({.kind = "cosine"}, 9, 10), 0);
  const Schedule steps{.kind = "multistep", .milestones = {0.5, 0.8}, .milestone_factor = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate_factor(steps, 4, 10), 1);
  EXPECT_DOUBLE_EQ(learning_rate_factor(steps, 5, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_factor(steps, 9, 10), 0.01);
  const Schedule warm{.kind = "constant", .warmup_steps = 3};
  EXPECT_DOUBLE_EQ(learning_rate_factor(warm, 0, 10), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate_factor(warm, 3, 10), 1);
  EXPECT_THROW(learning_rate_factor({.kind = "linear"}, 0, 10), UsageError);
}

}  // namespace
}  // namespace palimpsest
