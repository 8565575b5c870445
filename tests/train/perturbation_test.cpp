// The kinds of perturbation: how often each scale is drawn, and what a step makes of it.
#include "palimpsest/train/perturbation.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "palimpsest/train/step_input.h"
#include "palimpsest/train/task_parameters.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

TEST(Stratified, EveryStepHasAThirdOfEachScale) {
  constexpr int kSteps = 3000;
  for (const std::int64_t samples : {1, 2, 3, 7, 30}) {
    std::map<float, int> counts;
    std::vector<int> longer(static_cast<std::size_t>(samples));
    for (int step = 0; step < kSteps; ++step) {
      const std::vector<float> scales = stratified_scales(1, 2, step, samples, 0.5);
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

TEST(Stratified, FollowsSeedTaskAndStep) {
  const auto scales = [](std::uint64_t seed, std::int64_t task, std::int64_t step) {
    return stratified_scales(seed, task, step, 30, 0.5);
  };
  EXPECT_EQ(scales(1, 0, 0), scales(1, 0, 0));
  EXPECT_NE(scales(1, 0, 0), scales(2, 0, 0));
  EXPECT_NE(scales(1, 0, 0), scales(1, 1, 0));
  EXPECT_NE(scales(1, 0, 0), scales(1, 0, 1));
}

// The mean over steps of a batch's mean loss is what the sign gives, for losses that differ from
// sample to sample: the mean over the three scales. And it varies less from step to step.
TEST(Stratified, HasTheExpectationOfTheSignAndASmallerVariance) {
  constexpr std::int64_t kSamples = 10, kSteps = 20000;
  const auto loss = [](std::int64_t sample, double c) {
    const double at = 0.3 * static_cast<double>(sample) + c;
    return at * at + 0.1 * std::sin(3 * at);
  };
  double expected = 0;
  for (std::int64_t n = 0; n < kSamples; ++n) {
    for (const double c : {0.5, 1.0, 1.5}) expected += loss(n, c) / (3 * kSamples);
  }
  const auto moments = [&](const auto& scale_of) {
    double sum = 0, squares = 0;
    for (std::int64_t step = 0; step < kSteps; ++step) {
      const std::vector<float> scales = scale_of(step);
      double mean = 0;
      for (std::int64_t n = 0; n < kSamples; ++n) {
        mean += loss(n, scales[static_cast<std::size_t>(n)]) / kSamples;
      }
      sum += mean;
      squares += mean * mean;
    }
    return std::pair(sum / kSteps, squares / kSteps - sum * sum / kSteps / kSteps);
  };
  const auto [stratified, its_variance] =
      moments([](std::int64_t step) { return stratified_scales(3, 0, step, kSamples, 0.5); });
  const auto [sign, sign_variance] = moments([](std::int64_t step) {
    return std::vector<float>(kSamples, static_cast<float>(perturbation_scale(3, 0, step, 0.5)));
  });
  EXPECT_NEAR(stratified, expected, 5 * std::sqrt(its_variance / kSteps));
  EXPECT_NEAR(sign, expected, 5 * std::sqrt(sign_variance / kSteps));
  EXPECT_LT(its_variance, 0.1 * sign_variance);
}

TEST(Uniform, IsOneForTheFirstTaskAndThenBetweenTheShareOfATaskAndOne) {
  constexpr int kSteps = 10000;
  EXPECT_EQ(uniform_scale(1, 0, 17), 1);
  for (const std::int64_t task : {1, 4}) {
    const double least = 1 / static_cast<double>(task + 1);
    double sum = 0, lowest = 1;
    for (int step = 0; step < kSteps; ++step) {
      const double c = uniform_scale(1, task, step);
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

// E |noise|^2 = size^2 |Delta|^2 is E |(c - 1) Delta|^2 over the three signs.
TEST(Gaussian, NoiseIsAsLongAsTheSignsSteps) {
  const double sign = (0.25 + 0 + 0.25) / 3;
  EXPECT_NEAR(noise_size(0.5) * noise_size(0.5), sign, 1e-15);
  EXPECT_NE(noise_seed(1, 0, 0), noise_seed(1, 0, 1));
  EXPECT_NE(noise_seed(1, 0, 0), noise_seed(1, 1, 0));
  EXPECT_EQ(noise_seed(1, 0, 3), noise_seed(1, 0, 3));
}

class PerSample : public testing::TestWithParam<bool> {
 protected:
  PerSample()
      : watchdog_(60),
        group_(watchdog_),
        placement_(make_placement("cpu", false, group_, watchdog_)),
        stream_(GetParam(), placement_, group_, watchdog_) {
    stream_.config.perturbation = "stratified";
  }

  Watchdog watchdog_;
  HostGroup group_;
  Placement placement_;
  TinyStream stream_;
};

// Samples of many lengths in one batch: each as if it were alone in the model scaled by its c.
TEST_P(PerSample, EverySampleSeesItsOwnScale) {
  Session session = stream_.session({});
  const TaskParameters parameters(*session.model, 2, stream_.config);
  parameters.values().flat().copy_(at::randn({parameters.values().size()}).mul_(0.3));
  const std::vector<std::int64_t> positions{0, 1, 2, 3, 4};
  const at::Tensor c = at::tensor({0.5F, 1.0F, 1.5F, 1.5F, 0.5F});
  const Batch batch = session.reader().test_view(stream_.task().train, positions);
  const AdapterUse each{.lora = &parameters.lora(), .c = c};
  const at::Tensor ours = session.model->features(batch, each).detach();
  if (GetParam()) {
    const Batch filled_up{.samples = padded(std::get<Texts>(batch.samples), at::kCPU),
                          .targets = batch.targets};
    EXPECT_TRUE(at::allclose(session.model->features(filled_up, each).detach(), ours, 1e-4, 1e-4));
  }
  for (std::size_t n = 0; n < positions.size(); ++n) {
    const auto row = static_cast<std::int64_t>(n);
    session.model->set_adapter(parameters.lora(), c[row]);
    const Batch alone =
        session.reader().test_view(stream_.task().train, std::span(&positions[n], 1));
    const at::Tensor theirs =
        session.model->features(alone, {.lora = &parameters.lora(), .c = c[row]}).detach();
    EXPECT_TRUE(at::allclose(ours[row], theirs[0], 1e-4, 1e-4)) << "sample " << n;
  }
}

TEST_P(PerSample, AStepHandsEverySampleTheScaleOfItsPlaceInTheBatch) {
  Session session = stream_.session({});
  std::vector<std::int64_t> all_lanes{0, 1, 2, 3};
  StepReader reader(session, stream_.task(), all_lanes);
  const StepInput input = reader.read(1);
  EXPECT_EQ(input.perturbation.by_sample,
            stratified_scales(stream_.config.seed, 0, 1, std::ssize(input.positions),
                              stream_.config.epsilon));
  std::vector<float> dealt;
  for (const std::optional<Batch>& lane : input.lanes) {
    ASSERT_EQ(lane->numbers.numel(), lane->size());
    dealt.insert(dealt.end(), lane->numbers.const_data_ptr<float>(),
                 lane->numbers.const_data_ptr<float>() + lane->numbers.numel());
  }
  EXPECT_THAT(dealt, testing::UnorderedElementsAreArray(input.perturbation.by_sample));
  // Another dealing, the same scale for every sample.
  for (std::int64_t lane = 0; lane < 4; ++lane) {
    StepReader one(session, stream_.task(), {lane});
    EXPECT_TRUE(at::equal(one.read(1).lanes[0]->numbers,
                          input.lanes[static_cast<std::size_t>(lane)]->numbers));
  }
}

INSTANTIATE_TEST_SUITE_P(Packs, PerSample, testing::Bool(),
                         [](const auto& pack) { return pack.param ? "Texts" : "Images"; });

}  // namespace
}  // namespace palimpsest
