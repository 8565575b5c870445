#pragma once
// A batch of texts as tensors: the tokens of all texts one after another. Only attention looks at
// them side by side.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace palimpsest {

struct TextInput {
  at::Tensor ids;        // [tokens] int64
  at::Tensor positions;  // [tokens] int64, from 0 in each text
  at::Tensor pooling;    // [texts, tokens]: 1/length where the token belongs to the text
  std::vector<std::int64_t> lengths;

  // The same tokens as a rectangle [texts, longest], for attention without kernels of its own; not
  // set where there are such kernels. The tensors are undefined where all texts have one length.
  std::int64_t longest = 0;
  at::Tensor rectangle;  // [texts * longest] int64: the token at each place, or `tokens` where
                         // there is none
  at::Tensor place;      // [tokens] int64: the place of each token
  at::Tensor mask;       // [texts, 1, 1, longest]: 0, or -inf where there is no token
};

// `precision`: of the query, key and value that attention will take.
TextInput make_text_input(std::span<const std::int64_t> ids, std::span<const std::int64_t> lengths,
                          at::Device device, at::ScalarType precision);

// softmax(q k^T / sqrt(d)) v of each text by itself. qkv: [tokens, 3 hidden] (query, key, value
// side by side, each in `heads` parts of d = hidden / heads) -> [tokens, hidden].
at::Tensor text_attention(const at::Tensor& qkv, const TextInput& input, std::int64_t heads);

}  // namespace palimpsest
