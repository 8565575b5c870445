#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "palimpsest/core/error.h"
#include "palimpsest/head/head.h"
#include "parts/rows.h"

namespace palimpsest {
namespace {

TEST(OutputHead, ItsLogitsByHand) {
  const DeviceHead head{
      .weight = rows({1, 0, 0, 2, 1, 1}, 3), .bias = {}, .kind = head_kinds().make("output")};
  EXPECT_TRUE(at::equal(head.logits(rows({3, 4, 5}, 3)), rows({3, 15}, 2)));
}

TEST(OutputHead, IsTheBackbonesAndNeedsNoMemory) {
  const auto head = head_kinds().make("output");
  EXPECT_EQ(head->weights(), HeadWeights::kOfBackbone);
  EXPECT_THAT(head->needs(2).names, testing::IsEmpty());
}

}  // namespace
}  // namespace palimpsest
