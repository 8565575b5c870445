#include "palimpsest/kernels/kernels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>

#include "palimpsest/core/error.h"
#include "palimpsest/model/frozen_product.h"
#include "palimpsest/model/host_kernels.h"

namespace palimpsest {
namespace {

double distance(const at::Tensor& found, const at::Tensor& expected) {
  return (found.to(at::kDouble) - expected).norm().item<double>() / expected.norm().item<double>();
}

// In double, as the formula has it.
at::Tensor attention_written_out(const at::Tensor& qkv, std::span<const std::int64_t> lengths,
                                 std::int64_t heads, std::int64_t queries, const at::Tensor& bias) {
  const std::int64_t d = qkv.size(1) / 3 / heads;
  std::vector<at::Tensor> samples;
  std::int64_t first = 0;
  for (const std::int64_t length : lengths) {
    const at::Tensor parts =
        qkv.narrow(0, first, length).view({length, 3, heads, d}).permute({1, 2, 0, 3});
    const at::Tensor q = queries == 0 ? parts[0] : parts[0].narrow(1, 0, std::min(queries, length));
    at::Tensor scores = q.matmul(parts[1].transpose(1, 2)) / std::sqrt(static_cast<double>(d));
    for (std::int64_t i = 0; bias.defined() && i < q.size(1); ++i)
      scores.select(1, i) += bias.narrow(1, bias.size(1) / 2 - i, length);
    const at::Tensor weights = at::softmax(scores, -1);
    samples.push_back(weights.matmul(parts[2]).transpose(0, 1).reshape({-1, heads * d}));
    first += length;
  }
  return at::cat(samples);
}

struct AttentionCase {
  std::vector<std::int64_t> lengths;
  std::int64_t heads, size, queries;
  std::int64_t farthest = 0;  // with a bias for distances up to this
};

class AttentionTest : public testing::TestWithParam<AttentionCase> {};

TEST_P(AttentionTest, ValueAndGradientAreThoseOfTheFormula) {
  const auto& [lengths, heads, size, queries, farthest] = GetParam();
  at::manual_seed(5);
  std::int64_t tokens = 0;
  for (const std::int64_t length : lengths) tokens += length;
  const at::Tensor qkv = at::randn({tokens, 3 * heads * size}).mul_(2).requires_grad_(true);
  const at::Tensor exact = qkv.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor bias =
      farthest > 0 ? at::randn({heads, 2 * farthest + 1}).mul_(2) : at::Tensor();
  const at::Tensor ours = sample_attention(qkv, lengths, heads, queries, bias);
  const at::Tensor theirs = attention_written_out(exact, lengths, heads, queries, bias);
  ASSERT_EQ(ours.sizes(), theirs.sizes());
  EXPECT_LT(distance(ours.detach(), theirs.detach()), 2e-6);
  const at::Tensor g = at::randn(ours.sizes());
  const at::Tensor found = torch::autograd::grad({ours}, {qkv}, {g})[0];
  const at::Tensor expected = torch::autograd::grad({theirs}, {exact}, {g.to(at::kDouble)})[0];
  EXPECT_LT(distance(found, expected), 2e-6);
}

// Head sizes that are and aren't a multiple of a vector, samples of one token and of many.
INSTANTIATE_TEST_SUITE_P(
    Shapes, AttentionTest,
    testing::Values(AttentionCase{{12, 7, 1, 40}, 12, 32, 0}, AttentionCase{{197, 197}, 2, 64, 0},
                    AttentionCase{{17, 17}, 3, 64, 1}, AttentionCase{{5, 9}, 2, 4, 0},
                    AttentionCase{{33, 8}, 2, 20, 0}, AttentionCase{{6}, 1, 88, 2},
                    AttentionCase{{300}, 1, 80, 0}, AttentionCase{{12, 7, 1, 40}, 3, 64, 0, 39},
                    AttentionCase{{17, 5}, 2, 20, 1, 60}));

TEST(Attention, LargeScoresDoNotOverflow) {
  const at::Tensor qkv = at::full({3, 12}, 100.0);
  EXPECT_TRUE(at::allclose(sample_attention(qkv, std::vector<std::int64_t>{3}, 1),
                           at::full({3, 4}, 100.0)));
}

// That a run diverges is seen by its loss.
TEST(Attention, WhatIsNotANumberStaysSeen) {
  for (const std::int64_t column : {0, 4, 8}) {  // of query, key, value
    at::Tensor qkv = at::ones({3, 12});
    qkv[1][column].fill_(std::nan(""));
    const at::Tensor out = sample_attention(qkv, std::vector<std::int64_t>{3}, 1);
    EXPECT_FALSE(at::isfinite(out).all().item<bool>()) << "column " << column;
  }
}

TEST(Attention, RefusesLengthsThatDoNotFit) {
  const at::Tensor qkv = at::ones({3, 12});
  EXPECT_THROW(sample_attention(qkv, std::vector<std::int64_t>{2}, 1), Error);
  EXPECT_THROW(sample_attention(qkv, std::vector<std::int64_t>{3}, 3), Error);
  const std::vector<std::int64_t> three{3};
  EXPECT_THROW(sample_attention(qkv, three, 1, 0, at::ones({1, 3})), Error);
  EXPECT_THROW(sample_attention(qkv, three, 1, 0, at::ones({2, 5})), Error);
  EXPECT_NO_THROW(sample_attention(qkv, three, 1, 0, at::ones({1, 5})));
  EXPECT_THROW(add_squared_products(qkv, qkv, std::vector<std::int64_t>{4}, at::zeros({12, 12})),
               Error);
}

TEST(Attention, SamplesDoNotSeeOneAnother) {
  at::manual_seed(6);
  const at::Tensor qkv = at::randn({9, 3 * 32});
  const at::Tensor both = sample_attention(qkv, std::vector<std::int64_t>{4, 5}, 2);
  const at::Tensor first = sample_attention(qkv.narrow(0, 0, 4), std::vector<std::int64_t>{4}, 2);
  EXPECT_TRUE(at::equal(both.narrow(0, 0, 4), first));
}

// In double, as the formula has it, over heads [tokens, heads, d].
at::Tensor causal_written_out(const at::Tensor& query, const at::Tensor& key,
                              const at::Tensor& value, std::span<const std::int64_t> lengths,
                              std::int64_t window) {
  const std::int64_t group = query.size(1) / key.size(1), d = query.size(2);
  std::vector<at::Tensor> samples;
  std::int64_t first = 0;
  for (const std::int64_t length : lengths) {
    const auto by_head = [&](const at::Tensor& all) {
      return all.narrow(0, first, length)
          .transpose(0, 1)
          .repeat_interleave(query.size(1) / all.size(1), 0);
    };
    const at::Tensor place = at::arange(length);
    const at::Tensor distance = place.unsqueeze(1) - place;
    at::Tensor hidden = distance < 0;
    if (window > 0) hidden = hidden.logical_or(distance >= window);
    const at::Tensor scores =
        (by_head(query).matmul(by_head(key).transpose(1, 2)) / std::sqrt(static_cast<double>(d)))
            .masked_fill(hidden, -std::numeric_limits<double>::infinity());
    samples.push_back(at::softmax(scores, -1)
                          .matmul(by_head(value))
                          .transpose(0, 1)
                          .reshape({length, key.size(1) * group * d}));
    first += length;
  }
  return at::cat(samples);
}

struct CausalCase {
  std::vector<std::int64_t> lengths;
  std::int64_t shared, group, size, window;
};

class CausalAttentionTest : public testing::TestWithParam<CausalCase> {};

TEST_P(CausalAttentionTest, ValueAndGradientsAreThoseOfTheFormula) {
  const auto& [lengths, shared, group, size, window] = GetParam();
  at::manual_seed(7);
  std::int64_t tokens = 0;
  for (const std::int64_t length : lengths) tokens += length;
  // Values are a part of wider rows, as those of a model are.
  const at::Tensor query = at::randn({tokens, shared * group, size}).mul_(2).requires_grad_(true),
                   key = at::randn({tokens, shared, size}).mul_(2).requires_grad_(true),
                   wide = at::randn({tokens, 2 * shared, size}).requires_grad_(true);
  const auto exact = [](const at::Tensor& x) {
    return x.detach().to(at::kDouble).requires_grad_(true);
  };
  const std::vector<at::Tensor> from{query, key, wide},
      doubles{exact(query), exact(key), exact(wide)};
  const auto values = [&](const at::Tensor& rows) { return rows.narrow(1, shared, shared); };
  const at::Tensor ours = causal_sample_attention(query, key, values(wide), lengths, window);
  const at::Tensor theirs =
      causal_written_out(doubles[0], doubles[1], values(doubles[2]), lengths, window);
  ASSERT_EQ(ours.sizes(), theirs.sizes());
  EXPECT_LT(distance(ours.detach(), theirs.detach()), 2e-6);
  const at::Tensor g = at::randn(ours.sizes());
  const auto found = torch::autograd::grad({ours}, from, {g});
  const auto expected = torch::autograd::grad({theirs}, doubles, {g.to(at::kDouble)});
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (expected[i].norm().item<double>() == 0) continue;  // of a sample's only token
    EXPECT_LT(distance(found[i], expected[i]), 3e-6) << "gradient " << i;
  }
}

// Fewer tokens than a block of queries has, as many, and several blocks; windows that end within
// one and before it.
INSTANTIATE_TEST_SUITE_P(
    Shapes, CausalAttentionTest,
    testing::Values(CausalCase{{12, 7, 1, 40}, 3, 3, 64, 0}, CausalCase{{48, 49}, 2, 1, 32, 0},
                    CausalCase{{300, 5}, 1, 4, 20, 0}, CausalCase{{33, 130}, 2, 2, 16, 5},
                    CausalCase{{200}, 1, 2, 80, 61}, CausalCase{{97}, 2, 3, 12, 1}));

TEST(CausalAttention, RefusesShapesThatDoNotFit) {
  const at::Tensor query = at::ones({5, 4, 8}), shared = at::ones({5, 2, 8});
  const std::vector<std::int64_t> five{5}, four{4};
  EXPECT_NO_THROW(causal_sample_attention(query, shared, shared, five, 0));
  EXPECT_THROW(causal_sample_attention(query, shared, shared, four, 0), Error);
  EXPECT_THROW(causal_sample_attention(query, at::ones({5, 3, 8}), at::ones({5, 3, 8}), five, 0),
               Error);
  EXPECT_THROW(causal_sample_attention(query, shared, at::ones({5, 2, 4}), five, 0), Error);
}

TEST(RmsNorm, ValueAndGradientAreThoseOfItsFormula) {
  at::manual_seed(9);
  for (const std::int64_t width : {3, 64, 577}) {
    const at::Tensor x = at::randn({4, 2, width}).mul_(3).requires_grad_(true);
    const at::Tensor weight = at::rand({width}), g = at::randn({4, 2, width});
    const at::Tensor exact = x.detach().to(at::kDouble).requires_grad_(true);
    const at::Tensor ours = rms_norm(x, weight, 1e-5);
    const at::Tensor theirs = exact * exact.square().mean(-1, true).add(1e-5).rsqrt() * weight;
    EXPECT_LT(distance(ours.detach(), theirs.detach()), 1e-6);
    EXPECT_LT(distance(torch::autograd::grad({ours}, {x}, {g})[0],
                       torch::autograd::grad({theirs}, {exact}, {g.to(at::kDouble)})[0]),
              1e-6);
    EXPECT_TRUE(at::equal(rms_norm(x.detach(), weight, 1e-5), ours.detach()));
  }
  EXPECT_THROW(rms_norm(at::ones({2, 3}), at::ones({4}), 1e-5), Error);
}

TEST(Gelu, ValueAndSlopeAreThoseOfTheErrorFunction) {
  const at::Tensor x = at::linspace(-12, 12, 4001).requires_grad_(true);
  const at::Tensor exact = x.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor ours = erf_gelu(x), theirs = at::gelu(exact);
  EXPECT_LT((ours.detach() - theirs.detach()).abs().max().item<double>(), 1e-6);
  const at::Tensor slope = torch::autograd::grad({ours.sum()}, {x})[0];
  const at::Tensor expected = torch::autograd::grad({theirs.sum()}, {exact})[0];
  EXPECT_LT((slope - expected).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(at::equal(erf_gelu(x.detach()), ours.detach()));
}

TEST(SwiGlu, ValueAndSlopesAreThoseOfItsFormula) {
  at::manual_seed(8);
  for (const std::int64_t width : {5, 16, 43}) {
    const at::Tensor x = at::randn({7, 2 * width}).mul(6);
    x[0].fill_(-200);  // exp(200) is not finite
    x.requires_grad_(true);
    const at::Tensor exact = x.detach().to(at::kDouble).requires_grad_(true);
    const std::vector<at::Tensor> halves = exact.chunk(2, 1);
    const at::Tensor ours = swiglu(x), theirs = at::silu(halves[0]) * halves[1];
    const at::Tensor weight = at::rand({7, width});
    const at::Tensor slope = torch::autograd::grad({ours.mul(weight).sum()}, {x})[0];
    const at::Tensor expected = torch::autograd::grad({theirs.mul(weight).sum()}, {exact})[0];
    EXPECT_TRUE(at::allclose(ours.detach().to(at::kDouble), theirs.detach(), 1e-5, 1e-5));
    EXPECT_TRUE(at::allclose(slope.to(at::kDouble), expected, 1e-5, 1e-5));
    EXPECT_TRUE(at::equal(swiglu(x.detach()), ours.detach()));
  }
  EXPECT_THROW(swiglu(at::zeros({2, 3})), Error);
}

TEST(SquaredProducts, AreAddedSampleBySample) {
  at::manual_seed(7);
  for (const auto& [out, in] : {std::pair{6, 16}, std::pair{13, 21}, std::pair{200, 40}}) {
    const std::vector<std::int64_t> lengths{3, 1, 8};
    const at::Tensor wide = at::randn({12, out + 5}), x = at::randn({12, in});
    const at::Tensor g = wide.narrow(1, 2, out);  // rows that lie apart
    const at::Tensor before = at::rand({out, in}), sum = before.clone();
    add_squared_products(g, x, lengths, sum);
    at::Tensor expected = before.to(at::kDouble);
    std::int64_t first = 0;
    for (const std::int64_t length : lengths) {
      const at::Tensor product = g.narrow(0, first, length)
                                     .to(at::kDouble)
                                     .t()
                                     .mm(x.narrow(0, first, length).to(at::kDouble));
      expected = expected + product * product;
      first += length;
    }
    EXPECT_LT(distance(sum, expected), 1e-6) << out << " x " << in;
  }
}

TEST(FrozenProduct, BothLibrariesGiveTheProduct) {
  at::manual_seed(8);
  const at::Tensor x = at::randn({37, 48}), w = at::randn({64, 48}), bias = at::randn({64});
  const at::Tensor g = at::randn({37, 80}).narrow(1, 4, 64);
  const at::Tensor product = at::linear(x.to(at::kDouble), w.to(at::kDouble), bias.to(at::kDouble));
  const at::Tensor backward = g.to(at::kDouble).mm(w.to(at::kDouble));
  for (const GemmLibrary library : {GemmLibrary::kLibTorch, GemmLibrary::kOneDnn}) {
    if (library == GemmLibrary::kOneDnn && !at::hasMKLDNN()) continue;
    EXPECT_LT(distance(frozen_product(x, w, bias, library), product), 1e-6);
    EXPECT_LT(distance(frozen_product_backward(g, w, library), backward), 1e-6);
  }
}

}  // namespace
}  // namespace palimpsest
