#pragma once
// Query, key and value out of one product, for LibTorch's attention.
#include <ATen/core/Tensor.h>

#include <array>

namespace palimpsest {

// Views [samples, heads, tokens, d] of query, key and value. qkv: [samples * tokens, 3 heads d],
// the three side by side.
std::array<at::Tensor, 3> attention_heads(const at::Tensor& qkv, std::int64_t samples,
                                          std::int64_t heads);

}  // namespace palimpsest
