#include "palimpsest/model/token_losses.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "palimpsest/data/batch.h"

namespace palimpsest {
namespace {

// So many rows that they go through a vocabulary of 2^17 in three chunks.
class TokenLossesTest : public testing::Test {
 protected:
  TokenLossesTest() {
    at::manual_seed(1);
    output_ = at::randn({1 << 17, 4});
    hidden_ = at::randn({300, 4});
    targets_ = at::randint(1 << 17, {300}, at::kLong);
  }

  at::Tensor output_, hidden_, targets_;
};

TEST_F(TokenLossesTest, AreCrossEntropiesWithTheirGradient) {
  const at::Tensor x = hidden_.clone().requires_grad_(true), weight = at::rand({300});
  const at::Tensor found = token_losses(x, output_, targets_);
  const at::Tensor gradient = torch::autograd::grad({found.mul(weight).sum()}, {x})[0];
  const at::Tensor y = hidden_.to(at::kDouble).requires_grad_(true);
  const at::Tensor expected = at::cross_entropy_loss(at::linear(y, output_.to(at::kDouble)),
                                                     targets_, {}, at::Reduction::None);
  const at::Tensor expected_gradient = torch::autograd::grad({expected.mul(weight).sum()}, {y})[0];
  const auto distance = [](const at::Tensor& one, const at::Tensor& other) {
    return ((one - other).norm() / other.norm()).item<double>();
  };
  EXPECT_LT(distance(found, expected), 1e-6);
  EXPECT_LT(distance(gradient, expected_gradient), 1e-4);  // sums over 2^17 in float32
  EXPECT_TRUE(at::equal(token_losses(hidden_, output_, targets_), found.detach()));
}

TEST_F(TokenLossesTest, OutcomesSayWhatGreedyDecodingChooses) {
  const at::Tensor chosen = at::linear(hidden_, output_).argmax(1);
  at::Tensor targets = targets_.clone();
  targets.narrow(0, 0, 100).copy_(chosen.narrow(0, 0, 100));
  const TokenOutcomes found = token_outcomes(hidden_, output_, targets);
  EXPECT_TRUE(at::equal(found.is_likeliest, targets.eq(chosen)));
  EXPECT_TRUE(at::equal(found.losses, token_losses(hidden_, output_, targets)));
}

TEST_F(TokenLossesTest, WhatFillsUpHasNoLossAndNoGradient) {
  at::Tensor targets = targets_.clone();
  targets.slice(0, 1, 300, 2).fill_(kNoTarget);
  const at::Tensor x = hidden_.clone().requires_grad_(true);
  const at::Tensor losses = token_losses(x, output_, targets);
  const at::Tensor gradient = torch::autograd::grad({losses.sum()}, {x})[0];
  EXPECT_TRUE(losses.slice(0, 1, 300, 2).eq(0).all().item<bool>());
  EXPECT_TRUE(gradient.slice(0, 1, 300, 2).eq(0).all().item<bool>());
  EXPECT_TRUE(losses.slice(0, 0, 300, 2).gt(0).all().item<bool>());
  const TokenOutcomes outcomes = token_outcomes(hidden_, output_, targets);
  EXPECT_FALSE(outcomes.is_likeliest.slice(0, 1, 300, 2).any().item<bool>());
}

}  // namespace
}  // namespace palimpsest
