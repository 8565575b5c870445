#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "palimpsest/head/head.h"
#include "parts/rows.h"

namespace palimpsest {
namespace {

TEST(LinearHead, ItsLogitsByHand) {
  const DeviceHead head{.weight = rows({1, 0, 0, 2}, 2),
                        .bias = at::tensor({0.5f, -1.0f}),
                        .kind = head_kinds().make("linear")};
  EXPECT_TRUE(at::equal(head.logits(rows({3, 4}, 2)), rows({3.5, 7}, 2)));
  EXPECT_EQ(head.kind->weights(), HeadWeights::kTrained);
  EXPECT_EQ(to_record(head), (Head{2, 2, {1, 0, 0, 2}, {0.5f, -1}}));
}

// As PyTorch's Linear, by seed and task.
TEST(LinearHead, BeginsUniformWithinTheRootOfItsFeatures) {
  const auto begun = [](std::uint64_t seed, std::int64_t task) {
    const auto kind = head_kinds().make("linear");
    const at::Tensor weight = at::zeros({5, 64}), bias = at::zeros({5});
    kind->initialise(weight, bias, seed, task);
    return at::cat({weight.flatten(), bias});
  };
  const at::Tensor begins = begun(1, 2);
  EXPECT_LE(begins.abs().max().item<double>(), 1.0 / 8);
  EXPECT_GT(begins.abs().max().item<double>(), 0.9 / 8);
  EXPECT_TRUE(begins.narrow(0, 320, 5).ne(0).all().item<bool>());
  EXPECT_TRUE(at::equal(begins, begun(1, 2)));
  EXPECT_FALSE(at::equal(begins, begun(1, 3)));
  EXPECT_FALSE(at::equal(begins, begun(2, 2)));
}

TEST(LinearHead, IsNamedInTheMemoryOfARunByItsKind) {
  EXPECT_THAT(head_kinds().make("linear")->needs(2).names,
              testing::ElementsAre("head/linear/0/weight", "head/linear/0/bias",
                                   "head/linear/1/weight", "head/linear/1/bias"));
}

}  // namespace
}  // namespace palimpsest
