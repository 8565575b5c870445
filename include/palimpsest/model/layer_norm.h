#pragma once
// LayerNorm with frozen weights.
#include <ATen/core/Tensor.h>

namespace palimpsest {

struct LayerNorm {
  at::Tensor weight, bias;  // [width]
  double epsilon = 0;

  // Over the last dimension, in float32 whatever x is.
  at::Tensor operator()(const at::Tensor& x) const;
};

}  // namespace palimpsest
