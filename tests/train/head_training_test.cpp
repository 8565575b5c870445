// A head trained on features that don't change.
#include "palimpsest/train/head_training.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;

struct HeadTrainingTest : testing::Test {
  HeadTrainingTest() {
    config.head_lr = 0.1;
    config.batch = 4;
    config.weight_decay = 0.01;
  }

  HeadTraining train(std::int64_t passes = 5, const OnNonfinite& on_nonfinite = {}) const {
    HeadTrainingSettings settings = head_training_settings(config);
    settings.batches.passes = passes;
    return train_head(features, targets, 2, 0, start, head_kinds().make("linear"),
                      *objectives().make("classes"), settings, on_nonfinite);
  }

  RunConfig config;
  const Head start{2, 2, {0, 0, 0, 0}, {0, 0}};
  at::Tensor features = at::tensor({1.0f, 0.0f, 0.0f, 1.0f, 2.0f, 0.0f, 0.0f, 2.0f, 3.0f, 1.0f,
                                    1.0f, 3.0f, 2.0f, 1.0f, 1.0f, 2.0f})
                            .view({-1, 2});
  const std::vector<std::int64_t> targets = {0, 1, 0, 1, 0, 1, 0, 1};
};

// A step of AdamW doesn't depend on the gradient's length, except for its epsilon: a norm near that
// makes the steps shorter.
TEST_F(HeadTrainingTest, AGradientIsCutBackToTheGreatestNorm) {
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

TEST_F(HeadTrainingTest, AStepThatIsNotFiniteMayBeLeftOut) {
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

TEST_F(HeadTrainingTest, AfterAMergeThereIsNoWarmUpAndAShortBatchThatIsTheOnlyOneStays) {
  config.schedule.warmup = 100;
  config.drop_last = true;
  config.batch = 6;
  const HeadTrainingSettings settings = settings_after_merge(config, 6, 7);
  EXPECT_EQ(settings.schedule.warmup, 0);
  EXPECT_TRUE(settings.batches.drop_last);
  EXPECT_EQ(settings.batches.passes, 7);
  EXPECT_FALSE(settings_after_merge(config, 5, 7).batches.drop_last);
  config.drop_last = false;
  EXPECT_FALSE(settings_after_merge(config, 6, 7).batches.drop_last);
  EXPECT_EQ(settings.batches.seed, config.seed);
  EXPECT_EQ(settings.batches.batch, config.batch);
  EXPECT_EQ(settings.learning_rate, config.head_lr);
  EXPECT_EQ(settings.weight_decay, config.weight_decay);
  EXPECT_EQ(settings.schedule.kind, config.schedule.kind);
}

}  // namespace
}  // namespace palimpsest
