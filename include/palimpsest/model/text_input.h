#pragma once
// A batch of texts as tensors: tokens of all texts one after another, no padding anywhere.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace palimpsest {

// Neighbouring texts of one length: attention runs over these in one product.
struct TextRun {
  std::int64_t first_token = 0;
  std::int64_t texts = 0;
  std::int64_t length = 0;
};

struct TextInput {
  at::Tensor ids;        // [tokens] int64
  at::Tensor positions;  // [tokens] int64, from 0 in each text
  at::Tensor pooling;    // [texts, tokens]: 1/length where the token belongs to the text
  std::vector<TextRun> runs;
  std::vector<std::int64_t> lengths;
};

TextInput make_text_input(std::span<const std::int64_t> ids, std::span<const std::int64_t> lengths,
                          at::Device device);

// softmax(q k^T / sqrt(d)) v of each text by itself. qkv: [tokens, 3 hidden] (query, key, value
// side by side, each in `heads` parts of d = hidden / heads) -> [tokens, hidden].
at::Tensor text_attention(const at::Tensor& qkv, const std::vector<TextRun>& runs,
                          std::int64_t heads);

}  // namespace palimpsest
