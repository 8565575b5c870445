#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"
#include "palimpsest/head/head.h"
#include "parts/rows.h"

namespace palimpsest {
namespace {

DeviceHead cosine(const at::Tensor& weight, double scale) {
  return {.weight = weight,
          .bias = at::zeros({weight.size(0)}),
          .kind = head_kinds().make(concat("cosine:scale=", scale))};
}

// f = (3, 4), w = (1, 0) and (0, 2): cosines 0.6 and 0.8. d cos / d f = (w/|w| - cos f/|f|) / |f|.
TEST(CosineHead, ItsLogitsAndTheirGradientsByHand) {
  const at::Tensor features = rows({3, 4}, 2).requires_grad_(true);
  const DeviceHead head = cosine(rows({1, 0, 0, 2}, 2).requires_grad_(true), 10);
  const at::Tensor logits = head.logits(features);
  EXPECT_TRUE(at::allclose(logits, rows({6, 8}, 2)));
  const auto first = torch::autograd::grad({logits[0][0]}, {features}, {}, /*retain_graph=*/true);
  EXPECT_TRUE(at::allclose(first[0], rows({1.28f, -0.96f}, 2), 1e-5, 1e-6));
  const auto second = torch::autograd::grad({logits[0][1]}, {head.weight});
  EXPECT_TRUE(at::allclose(second[0], rows({0, 0, 3, 0}, 2), 1e-5, 1e-6));
}

TEST(CosineHead, ItsLogitsDependOnDirectionsAlone) {
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
    const at::Tensor logits = cosine(w, 7).logits(f);
    EXPECT_TRUE(at::allclose(logits, cosine(w.mul(b), 7).logits(f.mul(a)), 1e-4, 1e-4));
    EXPECT_TRUE(at::allclose(
        logits, at::cosine_similarity(f.unsqueeze(1), w.unsqueeze(0), 2).mul(7), 1e-4, 1e-4));
  }
}

TEST(CosineHead, AVectorOfLengthZeroGivesZeroAndFiniteGradients) {
  const at::Tensor features = rows({0, 0, 1, 2}, 2).requires_grad_(true);
  const DeviceHead head = cosine(rows({0, 0, 2, 1}, 2).requires_grad_(true), 16);
  const at::Tensor logits = head.logits(features);
  EXPECT_TRUE(at::allclose(logits, rows({0, 0, 0, 16 * 0.8f}, 2)));
  const at::Tensor loss = at::cross_entropy_loss(logits, at::tensor({0, 0}, at::kLong));
  const auto gradients = torch::autograd::grad({loss}, {features, head.weight});
  for (const at::Tensor& gradient : gradients) {
    EXPECT_TRUE(gradient.isfinite().all().item<bool>());
    EXPECT_LT(gradient.abs().max().item<double>(), 16);
    EXPECT_TRUE(gradient[0].ne(0).any().item<bool>());  // it can leave zero
  }
}

TEST(CosineHead, BeginsWithoutABias) {
  const auto kind = head_kinds().make("cosine");
  const at::Tensor weight = at::zeros({5, 64}), bias = at::ones({5});
  kind->initialise(weight, bias, 1, 2);
  EXPECT_TRUE(bias.eq(0).all().item<bool>());
  EXPECT_TRUE(weight.ne(0).any().item<bool>());
  EXPECT_EQ(kind->weights(), HeadWeights::kTrained);
}

// Heads of another scale don't compare.
TEST(CosineHead, IsRecordedAndRememberedWithItsScale) {
  const Head record = to_record(cosine(rows({1, 0, 0, 2}, 2), 12.5));
  EXPECT_EQ(record, (Head{2, 2, {1, 0, 0, 2}, {0, 0}, "cosine", 12.5}));
  EXPECT_EQ(to_record(place(record, at::kCPU)), record);
  EXPECT_THAT(
      head_kinds().make("cosine:scale=12.5")->needs(1).names,
      testing::ElementsAre("head/cosine:scale=12.5/0/weight", "head/cosine:scale=12.5/0/bias"));
  Head unknown = record;
  unknown.kind = "cosines";
  EXPECT_THROW(place(unknown, at::kCPU), InputError);
}

}  // namespace
}  // namespace palimpsest
