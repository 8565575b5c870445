#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/objective/objective.h"
#include "parts/rows.h"

namespace palimpsest {
namespace {

// ln(1 + 1) and ln(1 + 1/3), by hand.
TEST(ClassesObjective, IsTheSumOfCrossEntropiesOverTheTasksClasses) {
  const auto objective = objectives().make("classes");
  const at::Tensor logits = rows({0, 0, std::log(3.0f), 0}, 2);
  const at::Tensor loss = objective->loss(logits, at::tensor({1, 0}, at::kLong));
  EXPECT_NEAR(loss.item<double>(), std::log(2) + std::log(4.0 / 3), 1e-6);
  EXPECT_EQ(objective->divisor(2), 2);
}

TEST(ClassesObjective, TakesTheLogitsOfEveryHeadAsTheyAre) {
  const auto objective = objectives().make("classes");
  const at::Tensor features = rows({3, 4, 1, 0}, 2), targets = at::tensor({1, 0}, at::kLong);
  for (const std::string_view name : kind_names(head_kinds())) {
    const DeviceHead head{
        .weight = rows({1, 0, 0, 2}, 2), .bias = at::zeros({2}), .kind = head_kinds().make(name)};
    EXPECT_NO_THROW(objective->check(*head.kind));
    const at::Tensor logits = objective->logits(features, head);
    EXPECT_TRUE(at::equal(logits, head.logits(features))) << name;
    EXPECT_TRUE(objective->training_logits(logits, targets).is_same(logits)) << name;
  }
}

}  // namespace
}  // namespace palimpsest
