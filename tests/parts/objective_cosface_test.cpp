#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/objective/objective.h"
#include "parts/rows.h"

namespace palimpsest {
namespace {

DeviceHead place_head(const at::Tensor& weight) {
  return {.weight = weight,
          .bias = at::zeros({weight.size(0)}),
          .kind = head_kinds().make("cosine:scale=3")};
}

// By hand: cosines 0.6 and 0.8, then 1 and 0; lengths don't count, nor the head's own scale.
TEST(CosFaceObjective, AsksOfTheRightClassToWinByTheMargin) {
  const auto objective = objectives().make("cosface:scale=10,margin=0.25");
  const DeviceHead head = place_head(rows({2, 0, 0, 5}, 2));
  const at::Tensor logits = objective->logits(rows({3, 4, 7, 0}, 2), head);
  EXPECT_TRUE(at::allclose(logits, rows({6, 8, 10, 0}, 2)));
  EXPECT_NEAR(objective->loss(logits, at::tensor({1, 0}, at::kLong)).item<double>(),
              std::log1p(std::exp(6 - 5.5)) + std::log1p(std::exp(0 - 7.5)), 1e-5);
}

TEST(CosFaceObjective, IsCrossEntropyOfCosinesWithoutAMargin) {
  const DeviceHead head = place_head(rows({1, 2, -1, 1, 0.5f, -2}, 2));
  const at::Tensor features = rows({1, 1, 2, -1}, 2), targets = at::tensor({2, 0}, at::kLong);
  const auto objective = objectives().make("cosface:scale=3,margin=0");
  const auto plain = objectives().make("classes");
  EXPECT_TRUE(at::allclose(objective->loss(objective->logits(features, head), targets),
                           plain->loss(head.logits(features), targets)));
}

TEST(CosFaceObjective, TakesAHeadOfDirectionsAlone) {
  const auto objective = objectives().make("cosface");
  EXPECT_NO_THROW(objective->check(*head_kinds().make("cosine")));
  EXPECT_THAT([&] { objective->check(*head_kinds().make("linear")); },
              testing::ThrowsMessage<UsageError>(testing::HasSubstr("set head to cosine")));
}

}  // namespace
}  // namespace palimpsest
