#pragma once
// What a decoder keeps of texts that it continues token by token: the keys and values of all tokens
// so far.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace palimpsest {

struct DecodingCache {
  std::int64_t capacity = 0;                       // most tokens of a text, prompt included
  std::vector<at::Tensor> keys = {}, values = {};  // by block: [texts, heads, capacity, head size]
  at::Tensor lengths = {};                         // [texts] int64: tokens so far
  std::int64_t longest = 0;                        // of them
};

}  // namespace palimpsest
