// The pure functions of a step: which samples, which learning rate.
#include <gmock/gmock.h>

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/data/sampler.h"
#include "palimpsest/optimizer/optimizer.h"

namespace palimpsest {
namespace {

TEST(Sampler, EveryPassHasEverySampleOnceAndKeepsTheShortBatch) {
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
  EXPECT_THAT(split_into_lanes({10, 11, 12, 13, 14}, {7, 9, 1, 3, 5}, 2),
              ElementsAre(ElementsAre(11, 13, 12), ElementsAre(10, 14)))
      << "by length: 11 10 | 14 13 | 12, there and back";
  EXPECT_THAT(split_into_lanes({10, 11, 12, 13}, {4, 4, 4, 4}, 3),
              ElementsAre(ElementsAre(10), ElementsAre(11), ElementsAre(12, 13)))
      << "samples of one length keep their order";
  EXPECT_THAT(split_into_lanes({10}, {4}, 3),
              ElementsAre(ElementsAre(10), testing::IsEmpty(), testing::IsEmpty()));
}

TEST(ScheduleTest, FollowsItsFormula) {
  EXPECT_EQ(learning_rate_factor({.kind = Schedule::Kind::kConstant}, 7, 10), 1);
  EXPECT_DOUBLE_EQ(learning_rate_factor({.kind = Schedule::Kind::kCosine}, 0, 10), 1);
  EXPECT_DOUBLE_EQ(learning_rate_factor({.kind = Schedule::Kind::kCosine}, 5, 10), 0.5);
  EXPECT_GT(learning_rate_factor({.kind = Schedule::Kind::kCosine}, 9, 10), 0);
  const Schedule steps{.kind = Schedule::Kind::kMultistep, .milestones = {0.5, 0.8}, .factor = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate_factor(steps, 4, 10), 1);
  EXPECT_DOUBLE_EQ(learning_rate_factor(steps, 5, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_factor(steps, 9, 10), 0.01);
  const Schedule warm{.kind = Schedule::Kind::kConstant, .warmup = 3};
  EXPECT_DOUBLE_EQ(learning_rate_factor(warm, 0, 10), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate_factor(warm, 3, 10), 1);
}

}  // namespace
}  // namespace palimpsest
