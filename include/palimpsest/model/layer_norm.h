#pragma once
// LayerNorm with frozen weights.
#include <ATen/core/Tensor.h>

namespace palimpsest {

struct LayerNorm {
  at::Tensor weight, bias;  // [width]
  double epsilon = 0;

  // Over the last dimension, in the precision of the weights; sums are in float32 whatever that is.
  at::Tensor operator()(const at::Tensor& x) const;

  // The same with its weights in another precision.
  LayerNorm in(at::ScalarType precision) const;
};

}  // namespace palimpsest
