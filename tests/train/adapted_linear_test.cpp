#include "palimpsest/model/adapted_linear.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>

#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

// Rows: a plain module, then two adapted ones ("b" before "a", to distinguish slots from layout
// positions).
class AdaptedLinearTest : public testing::Test {
 protected:
  AdaptedLinearTest()
      : layout_({{.name = "b", .out = 4, .in = 6}, {.name = "a", .out = 4, .in = 6}}),
        weight_((at::manual_seed(17), at::randn({12, 6}))),
        bias_(at::randn({12})),
        layer_(matrices(), at::kFloat),
        x_(at::randn({5, 6}).requires_grad_(true)),
        factors_{at::randn({2, 3, 6}).requires_grad_(true),
                 at::randn({2, 4, 3}).requires_grad_(true)} {}

  std::vector<AdaptedLinear::Matrix> matrices() const {
    const auto rows = [&](std::int64_t first, std::optional<std::size_t> module) {
      return AdaptedLinear::Matrix{.weight = weight_.narrow(0, first, 4),
                                   .bias = bias_.narrow(0, first, 4),
                                   .module = module};
    };
    return {rows(0, std::nullopt), rows(4, 1), rows(8, 0)};
  }

  // W + c B A, written out with autograd's own products.
  at::Tensor effective(double c) const {
    at::Tensor rows = weight_.clone();
    const at::Tensor delta = factors_.b.matmul(factors_.a) * c;
    return at::cat(
        {rows.narrow(0, 0, 4), rows.narrow(0, 4, 4) + delta[0], rows.narrow(0, 8, 4) + delta[1]});
  }

  Lora adapter() const { return Lora({{.modules = {1, 0}, .out = 4, .in = 6}}, 3, 1, {factors_}); }

  AdaptedLayout layout_;
  at::Tensor weight_, bias_;
  AdaptedLinear layer_;
  at::Tensor x_;
  Lora::Factors factors_;
};

TEST_F(AdaptedLinearTest, ValueAndGradientsAreThoseOfTheProductWrittenOut) {
  constexpr double kScale = 0.7;
  const Lora lora = adapter();
  const at::Tensor c = at::full({}, kScale);
  layer_.set_adapter(lora, c);
  const at::Tensor ours = layer_.forward(x_, {.lora = &lora, .c = c});
  const at::Tensor theirs = at::linear(x_, effective(kScale), bias_);
  EXPECT_TRUE(at::allclose(ours, theirs, 1e-5, 1e-6));
  const std::vector<at::Tensor> inputs{x_, factors_.a, factors_.b};
  const auto gradients = torch::autograd::grad({ours.pow(2).sum()}, inputs);
  const auto expected = torch::autograd::grad({theirs.pow(2).sum()}, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    // Relative to the whole: single entries may be small differences of large numbers.
    EXPECT_LE((gradients[i] - expected[i]).norm().item<double>(),
              1e-6 * expected[i].norm().item<double>())
        << "gradient " << i;
  }
}

// Rows of three samples with a c each, written out: in float32, and nearly so in bf16.
TEST_F(AdaptedLinearTest, EverySampleCanHaveItsOwnScale) {
  const Lora lora = adapter();
  const at::Tensor c = at::tensor({0.5F, 1.5F, 1.0F});
  const at::Tensor rows = at::tensor({0.5F, 0.5F, 1.5F, 1.0F, 1.0F}).unsqueeze(1);
  at::Tensor theirs = at::linear(x_, weight_, bias_);
  const at::Tensor branch =
      at::cat({at::zeros({5, 4}), x_.mm(factors_.a[0].t()).mm(factors_.b[0].t()),
               x_.mm(factors_.a[1].t()).mm(factors_.b[1].t())},
              1);
  theirs = theirs + rows * branch;
  const std::vector<at::Tensor> inputs{x_, factors_.a, factors_.b};
  const auto expected = torch::autograd::grad({theirs.pow(2).sum()}, inputs);
  for (const auto& [precision, tolerance] : {std::pair(at::kFloat, 1e-6), {at::kBFloat16, 0.03}}) {
    const AdaptedLinear layer(matrices(), precision);
    const at::Tensor ours =
        layer.forward(x_, {.lora = &lora, .c = c, .rows_c = rows}).to(at::kFloat);
    EXPECT_LT((ours - theirs).norm().item<double>(), tolerance * theirs.norm().item<double>());
    const auto gradients = torch::autograd::grad({ours.pow(2).sum()}, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_LE((gradients[i] - expected[i]).norm().item<double>(),
                2 * tolerance * expected[i].norm().item<double>())
          << "gradient " << i;
    }
  }
  // Behind a pooling there is one row a sample.
  const at::Tensor pooled = x_.narrow(0, 0, 3);
  EXPECT_TRUE(at::equal(layer_.forward(pooled, {.lora = &lora, .c = c, .rows_c = rows}),
                        layer_.forward(pooled, {.lora = &lora, .c = c, .rows_c = c.unsqueeze(1)})));
}

TEST_F(AdaptedLinearTest, NoiseIsAsLargeAsTheTaskVectorAndGradientsFlowThroughTheTaskVectorAlone) {
  const Lora lora = adapter();
  const std::vector<at::Tensor> noise{at::randn({4, 6}), at::randn({4, 6})};  // of b, of a
  layer_.set_adapter(lora, {}, noise);
  const at::Tensor ours = layer_.forward(x_, {.lora = &lora});
  at::Tensor weight = effective(1);
  const at::Tensor delta = factors_.b.matmul(factors_.a).detach();
  const auto added = [&](std::int64_t slot, std::size_t module) {
    return noise[module] * delta[slot].square().mean().sqrt();
  };
  weight = weight + at::cat({at::zeros({4, 6}), added(0, 1), added(1, 0)});
  const at::Tensor theirs = at::linear(x_, weight, bias_);
  EXPECT_TRUE(at::allclose(ours, theirs, 1e-5, 1e-5));
  const std::vector<at::Tensor> inputs{x_, factors_.a, factors_.b};
  const auto gradients = torch::autograd::grad({ours.pow(2).sum()}, inputs);
  const auto expected = torch::autograd::grad({theirs.pow(2).sum()}, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_LE((gradients[i] - expected[i]).norm().item<double>(),
              2e-6 * expected[i].norm().item<double>())
        << "gradient " << i;
  }
}

TEST_F(AdaptedLinearTest, TheTapSeesInputAndOutputGradientOfEachModule) {
  std::map<std::size_t, at::Tensor> products;
  const GradientTap tap = [&](std::size_t module, const at::Tensor& x, const at::Tensor& g) {
    products[module] = g.t().mm(x);
  };
  const at::Tensor w = weight_.clone().requires_grad_(true);
  torch::autograd::grad({layer_.forward(x_, {.tap = &tap}).pow(2).sum()}, {x_});
  const at::Tensor expected =
      torch::autograd::grad({at::linear(x_, w, bias_).pow(2).sum()}, {w})[0];
  ASSERT_EQ(products.size(), 2u);
  EXPECT_TRUE(at::allclose(products[1], expected.narrow(0, 4, 4), 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(products[0], expected.narrow(0, 8, 4), 1e-4, 1e-5));
}

TEST_F(AdaptedLinearTest, ADifferenceMovesTheModulesOfItsLayoutAndNothingElse) {
  std::vector<float> difference(static_cast<std::size_t>(layout_.size()));
  for (std::size_t i = 0; i < difference.size(); ++i) difference[i] = static_cast<float>(i);
  for (std::size_t module = 0; module < layout_.modules().size(); ++module) {
    const AdaptedModule& m = layout_.modules()[module];
    layer_.set_weight(
        module, layer_.weight_with(module, std::span(difference).subspan(m.offset, m.size())));
  }
  // Layout order is a, b; slots are module 1 (b) at row 4 and module 0 (a) at row 8.
  at::Tensor expected = weight_.clone();
  expected.narrow(0, 4, 4).add_(from_host(std::span(difference).subspan(24), {4, 6}, at::kCPU));
  expected.narrow(0, 8, 4).add_(from_host(std::span(difference).first(24), {4, 6}, at::kCPU));
  EXPECT_TRUE(at::allclose(layer_.forward(x_, {}), at::linear(x_, expected, bias_), 1e-5, 1e-5));
}

TEST_F(AdaptedLinearTest, TheAdapterNeverTouchesTheWeightsBeneath) {
  const at::Tensor before = layer_.forward(x_, {}).detach();
  layer_.set_adapter(adapter(), at::full({}, 1.5));
  layer_.set_adapter(adapter(), at::zeros({}));
  EXPECT_TRUE(at::equal(layer_.forward(x_, {}).detach(), before));
}

}  // namespace
}  // namespace palimpsest
