// Heads by hand: logits of either kind, class means, what is drawn from them, alignment.
#include "palimpsest/train/head_training.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/head/class_statistics.h"
#include "palimpsest/classifier/head_alignment.h"
#include "palimpsest/train/task_trainer.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

at::Tensor rows(std::vector<float> values, std::int64_t columns) {
  return at::tensor(values).view({-1, columns});
}

PlacedHead cosine(const at::Tensor& weight, double scale) {
  return {.weight = weight, .bias = at::zeros({weight.size(0)}), .kind = "cosine", .scale = scale};
}

TEST(HeadLogits, OfALinearHeadByHand) {
  const PlacedHead head{.weight = rows({1, 0, 0, 2}, 2), .bias = at::tensor({0.5f, -1.0f})};
  EXPECT_TRUE(at::equal(head_logits(rows({3, 4}, 2), head), rows({3.5, 7}, 2)));
}

// f = (3, 4), w = (1, 0) and (0, 2): cosines 0.6 and 0.8. d cos / d f = (w/|w| - cos f/|f|) / |f|.
TEST(HeadLogits, OfACosineHeadWithTheirGradientsByHand) {
  const at::Tensor features = rows({3, 4}, 2).requires_grad_(true);
  const PlacedHead head = cosine(rows({1, 0, 0, 2}, 2).requires_grad_(true), 10);
  const at::Tensor logits = head_logits(features, head);
  EXPECT_TRUE(at::allclose(logits, rows({6, 8}, 2)));
  const auto first = torch::autograd::grad({logits[0][0]}, {features}, {}, /*retain_graph=*/true);
  EXPECT_TRUE(at::allclose(first[0], rows({1.28f, -0.96f}, 2), 1e-5, 1e-6));
  const auto second = torch::autograd::grad({logits[0][1]}, {head.weight});
  EXPECT_TRUE(at::allclose(second[0], rows({0, 0, 3, 0}, 2), 1e-5, 1e-6));
}

TEST(HeadLogits, OfACosineHeadDependOnDirectionsAlone) {
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    RandomStream stream(1, Purpose::kTest, 0, trial);
    const auto some = [&](std::int64_t count) {
      at::Tensor values = at::empty({count, 5});
      fill_uniform({values.mutable_data_ptr<float>(), static_cast<std::size_t>(values.numel())}, 1,
                   RandomStream(1, Purpose::kTest, 1, stream.next()));
      return values;
    };
    const at::Tensor f = some(3), w = some(4);
    const double a = 0.01 + 100 * stream.uniform(), b = 0.01 + 100 * stream.uniform();
    const at::Tensor logits = head_logits(f, cosine(w, 7));
    EXPECT_TRUE(at::allclose(logits, head_logits(f.mul(a), cosine(w.mul(b), 7)), 1e-4, 1e-4));
    EXPECT_TRUE(at::allclose(
        logits, at::cosine_similarity(f.unsqueeze(1), w.unsqueeze(0), 2).mul(7), 1e-4, 1e-4));
  }
}

TEST(HeadLogits, AVectorOfLengthZeroStandsAtZeroAndHasFiniteGradients) {
  const at::Tensor features = rows({0, 0, 1, 2}, 2).requires_grad_(true);
  const PlacedHead head = cosine(rows({0, 0, 2, 1}, 2).requires_grad_(true), 16);
  const at::Tensor logits = head_logits(features, head);
  EXPECT_TRUE(at::allclose(logits, rows({0, 0, 0, 16 * 0.8f}, 2)));
  const at::Tensor loss = at::cross_entropy_loss(logits, at::tensor({0, 0}, at::kLong));
  const auto gradients = torch::autograd::grad({loss}, {features, head.weight});
  for (const at::Tensor& gradient : gradients) {
    EXPECT_TRUE(gradient.isfinite().all().item<bool>());
    EXPECT_LT(gradient.abs().max().item<double>(), 16);
    EXPECT_TRUE(gradient[0].ne(0).any().item<bool>());  // it can leave zero
  }
}

TEST(Heads, JoinedStandSideBySideUnlessTheirLogitsDoNotCompare) {
  const Head one{2, 1, {1, 2}, {3, 4}}, two{3, 1, {5, 6, 7}, {8, 9, 10}};
  const std::vector<Head> both = {one, two};
  const Head all = joined(both);
  EXPECT_EQ(all, (Head{5, 1, {1, 2, 5, 6, 7}, {3, 4, 8, 9, 10}}));
  for (const Head& other : {Head{1, 1, {5}, {0}, "cosine", 1}, Head{1, 1, {5}, {0}, "linear", 2}}) {
    const std::vector<Head> mixed = {one, other};
    EXPECT_THROW(joined(mixed), Error);
  }
}

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

TEST(PrototypeHead, IsTheClassMeansWithTheLossOfTheirCosines) {
  RunConfig config;
  config.head = "prototype";
  config.head_scale = 2;
  const std::vector<std::int64_t> targets = {0, 1, 0};
  const HeadTraining made = prototype_head(rows({1, 0, 0, 3, 3, 0}, 2), targets, 2, config);
  EXPECT_EQ(made.head, (Head{2, 2, {2, 0, 0, 3}, {0, 0}, "cosine", 2}));
  EXPECT_NEAR(made.loss_last_pass, std::log(1 + std::exp(-2)), 1e-6);
  EXPECT_EQ(made.loss_first_step, made.loss_last_pass);
}

// Two tasks of two classes at the four corners of a square, and heads of which the second drowns
// the first: alignment brings every class's mean back to its own class.
TEST(AlignedHeads, TellClassesOfDifferentTasksApart) {
  for (const char* const kind : {"linear", "cosine"}) {
    RunConfig config;
    config.head = kind;
    config.head_lr = 0.05;
    config.batch = 32;
    const std::vector<ClassStatistics> statistics = {
        {2, 2, {1, 0, -1, 0}, {0.01f, 0.01f, 0.01f, 0.01f}},
        {2, 2, {0, 1, 0, -1}, {0.01f, 0.01f, 0.01f, 0.01f}}};
    const bool is_linear = config.head == "linear";
    const double scale = is_linear ? 1 : config.head_scale;
    const std::vector<Head> heads = {
        {2, 2, {0.1f, 0.1f, -0.1f, 0.1f}, {0, 0}, kind, scale},
        {2,
         2,
         {1, 0.2f, 1, -0.2f},
         is_linear ? std::vector<float>{2, 2} : std::vector<float>{0, 0},
         kind,
         scale}};
    const at::Tensor means = rows({1, 0, -1, 0, 0, 1, 0, -1}, 2);
    const auto predicted = [&](const std::vector<Head>& of) {
      return head_logits(means, place(joined(of), at::kCPU)).argmax(1);
    };
    const at::Tensor wanted = at::arange(4);
    const std::vector<Head> aligned = aligned_heads(heads, statistics, config, 1, at::kCPU);
    EXPECT_FALSE(at::equal(predicted(heads), wanted)) << kind;
    EXPECT_TRUE(at::equal(predicted(aligned), wanted)) << kind;
    ASSERT_EQ(aligned.size(), 2);
    EXPECT_EQ(aligned[1].kind, kind);
    EXPECT_EQ(aligned[1].scale, scale);
    EXPECT_EQ(aligned, aligned_heads(heads, statistics, config, 1, at::kCPU));
    if (!is_linear) {
      EXPECT_THAT(aligned[0].bias, ElementsAre(0, 0));
      EXPECT_THAT(aligned[1].bias, ElementsAre(0, 0));
    }
  }
}

struct HeadSettings : testing::Test {
  HeadSettings() {
    config.head_lr = 0.1;
    config.batch = 4;
    config.weight_decay = 0.01;
  }

  HeadTraining train(std::int64_t passes = 5, const OnNonfinite& on_nonfinite = {}) const {
    return train_head(features, targets, 2, config, 0, passes, start, on_nonfinite);
  }

  RunConfig config;
  const Head start{2, 2, {0, 0, 0, 0}, {0, 0}};
  at::Tensor features = rows({1, 0, 0, 1, 2, 0, 0, 2, 3, 1, 1, 3, 2, 1, 1, 2}, 2);
  const std::vector<std::int64_t> targets = {0, 1, 0, 1, 0, 1, 0, 1};
};

// A step of AdamW doesn't depend on the gradient's length, but for its epsilon: a norm near that
// makes the steps shorter.
TEST_F(HeadSettings, AGradientIsCutBackToTheGreatestNorm) {
  const Head free = train().head;
  config.clip_norm = 1e6;  // never reached
  EXPECT_EQ(train().head, free);
  config.clip_norm = 1e-9;
  const Head cut = train().head;
  for (std::size_t i = 0; i < cut.weight.size(); ++i) {
    EXPECT_GT(std::abs(free.weight[i]), 0.2) << i;
    EXPECT_LT(std::abs(cut.weight[i]), 0.1) << i;
  }
}

TEST_F(HeadSettings, AStepThatIsNotFiniteMayBeLeftOut) {
  features[3][0] = std::nanf("");
  EXPECT_THAT([&] { train(); },
              testing::ThrowsMessage<DivergedError>(HasSubstr(": loss nan, gradient norm nan")));
  std::vector<std::int64_t> skipped;
  const HeadTraining made = train(5, [&](const NonfiniteStep& at) {
    EXPECT_EQ(at.skipped, std::ssize(skipped));
    EXPECT_THAT(at.batch, testing::Contains(3));
    skipped.push_back(at.step);
  });
  EXPECT_EQ(skipped.size(), 5u);  // once a pass
  for (const float weight : made.head.weight) EXPECT_TRUE(std::isfinite(weight));
  EXPECT_TRUE(std::isfinite(made.loss_first_step) && std::isfinite(made.loss_last_pass));
  config.batch = 8;
  EXPECT_THAT([&] { train(5, [](const NonfiniteStep&) {}); },
              testing::ThrowsMessage<DivergedError>(HasSubstr("every step of the last pass")));
}

TEST_F(HeadSettings, AfterAMergeThereIsNoWarmUpAndAShortBatchThatIsTheOnlyOneStays) {
  config.warmup_steps = 100;
  config.drop_last = true;
  config.batch = 6;
  EXPECT_EQ(settings_after_merge(config, 6).warmup_steps, 0);
  EXPECT_TRUE(settings_after_merge(config, 6).drop_last);
  EXPECT_FALSE(settings_after_merge(config, 5).drop_last);
  config = settings_after_merge(config, 6);
  config.warmup_steps = config.drop_last = 0;
  EXPECT_EQ(settings_after_merge(config, 6), config);
}

// Every rank trains the same head by itself, and they prove it.
TEST(FrozenHeads, AreAgreedOnOverAllRanks) {
  Watchdog watchdog(60);
  HostGroup group(watchdog);
  const Placement placement = make_placement("cpu", false, group, watchdog);
  TinyStream stream(true, placement, group, watchdog);
  stream.config.adapter = stream.config.merge = stream.config.perturbation = "none";
  Session session = stream.session({});
  const auto train_from = [&](float weight) {
    const Head start{2, 32, std::vector<float>(64, weight), {0, 0}};
    TaskPasses passes(session, stream.task());
    return train_on_features(passes, {.weights = stream.pretrained(), .head = start});
  };
  EXPECT_EQ(train_from(0.5f).head.features, 32);
  if (group.size() == 1) return;
  EXPECT_THAT([&] { train_from(group.rank() == 0 ? 0.5f : 0.25f); },
              testing::ThrowsMessage<Error>(
                  HasSubstr("the ranks disagree on hash of the head trained on task 1")));
}

// 4 classes of 256 draws: a batch of more than all of them.
TEST(AlignedHeads, TakeABatchOfAnySize) {
  RunConfig config;
  const std::vector<ClassStatistics> statistics(2, {2, 2, {1, 0, -1, 0}, {1, 1, 1, 1}});
  const std::vector<Head> heads(2, {2, 2, {1, 2, 3, 4}, {0, 0}});
  for (const bool drop_last : {false, true}) {
    config.drop_last = drop_last;
    config.batch = 1025;
    const auto one_batch = aligned_heads(heads, statistics, config, 1, at::kCPU);
    config.batch = 1024;
    EXPECT_EQ(one_batch, aligned_heads(heads, statistics, config, 1, at::kCPU));
    config.batch = 1000;
    EXPECT_NE(one_batch, aligned_heads(heads, statistics, config, 1, at::kCPU));
  }
}

}  // namespace
}  // namespace palimpsest
