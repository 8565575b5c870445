#pragma once
// What blocks of several families have in common: norms with frozen weights, and the views of
// attention's heads.
#include <ATen/core/Tensor.h>

#include <array>

namespace palimpsest {

struct LayerNorm {
  at::Tensor weight, bias;  // [width]
  double epsilon = 0;

  // Over the last dimension, in the precision of the weights; sums are in float32 whatever that is.
  at::Tensor operator()(const at::Tensor& x) const;

  // The same with its weights in another precision.
  LayerNorm in(at::ScalarType precision) const;
};

// x / sqrt(mean(x^2) + epsilon) * weight.
struct RmsNorm {
  at::Tensor weight = {};  // [width]
  double epsilon = 0;

  // As LayerNorm's.
  at::Tensor operator()(const at::Tensor& x) const;
  RmsNorm in(at::ScalarType precision) const;
};

// Views [samples, heads, tokens, d] of query, key and value. qkv: [samples * tokens, 3 heads d],
// the three side by side.
std::array<at::Tensor, 3> attention_heads(const at::Tensor& qkv, std::int64_t samples,
                                          std::int64_t heads);

}  // namespace palimpsest
