#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/train/head_training.h"
#include "parts/rows.h"

namespace palimpsest {
namespace {

TEST(PrototypeHead, IsTheClassMeansWithTheLossOfTheirCosines) {
  const std::vector<std::int64_t> targets = {0, 1, 0};
  const at::Tensor features = rows({1, 0, 0, 3, 3, 0}, 2);
  const auto kind = head_kinds().make("prototype:scale=2");
  EXPECT_EQ(kind->weights(), HeadWeights::kFromFeatures);
  const Head made = kind->from_features(features, targets, 2);
  EXPECT_EQ(made, (Head{2, 2, {2, 0, 0, 3}, {0, 0}, "cosine", 2}));
  EXPECT_NEAR(mean_loss(features, targets, made, *objectives().make("classes")),
              std::log(1 + std::exp(-2)), 1e-6);
}

TEST(PrototypeHead, OthersAreTrainedAndNotMade) {
  for (const char* const other : {"linear", "cosine"})
    EXPECT_THROW(
        head_kinds().make(other)->from_features(rows({1, 0}, 2), std::vector<std::int64_t>{0}, 1),
        Error);
}

// It is a cosine head to its readers.
TEST(PrototypeHead, SharesTheMemoryOfCosineHeads) {
  EXPECT_EQ(head_kinds().make("prototype:scale=8")->needs(3).names,
            head_kinds().make("cosine:scale=8")->needs(3).names);
}

}  // namespace
}  // namespace palimpsest
