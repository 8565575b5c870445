#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/objective/objective.h"
#include "parts/rows.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

// Logits (ln 3, 0) and (0, ln 3): -ln 3/4 and -ln 1/4, by hand.
TEST(NextTokenObjective, IsTheSumOfCrossEntropiesOverTheVocabulary) {
  const auto objective = objectives().make("next-token");
  const DeviceHead head{.weight = rows({std::log(3.0f), 0, 0, std::log(3.0f)}, 2),
                        .bias = {},
                        .kind = head_kinds().make("output")};
  const at::Tensor loss =
      objective->summed_loss(rows({1, 0, 0, 1}, 2), head, at::tensor({0, 0}, at::kLong));
  EXPECT_NEAR(loss.item<double>(), std::log(4.0 / 3) + std::log(4), 1e-6);
  EXPECT_TRUE(objective->predicts_tokens());
}

TEST(NextTokenObjective, TakesTheOutputLayerAlone) {
  const auto objective = objectives().make("next-token");
  EXPECT_NO_THROW(objective->check(*head_kinds().make("output")));
  EXPECT_THAT([&] { objective->check(*head_kinds().make("linear")); },
              ThrowsMessage<UsageError>(HasSubstr("set head to output")));
  EXPECT_THAT([&] { objectives().make("classes")->check(*head_kinds().make("output")); },
              ThrowsMessage<UsageError>(HasSubstr("set objective to next-token")));
}

}  // namespace
}  // namespace palimpsest
