#pragma once
// A batch of texts as tensors. In host memory the tokens of all texts lie one after another,
// without padding; on a device every text has a row of one width, and what fills it is masked.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "palimpsest/data/batch.h"

namespace palimpsest {

struct TextInput {
  at::Tensor ids;        // [tokens] int64
  at::Tensor positions;  // [tokens] int64, from 0 in each text
  at::Tensor pooling;    // [texts, tokens]: 1/length where the token belongs to the text; padded:
                         // [texts, 1, width]
  std::vector<std::int64_t> lengths;  // rows of each text
  at::Tensor mask = {};  // padded: [texts, 1, 1, width], 0, or -inf where there is no token
};

TextInput make_text_input(const Texts& texts);
// On the device of the texts. `precision`: of query, key and value. `positions`: how many the
// backbone knows.
TextInput make_text_input(const PaddedTexts& texts, std::int64_t positions,
                          at::ScalarType precision);

// The mean of each text's hidden states: [tokens, hidden] -> [texts, hidden].
at::Tensor mean_over_tokens(const at::Tensor& hidden, const TextInput& input);

// softmax(q k^T / sqrt(d)) v of each text by itself. qkv: [tokens, 3 hidden] (query, key, value
// side by side, each in `heads` parts of d = hidden / heads) -> [tokens, hidden].
at::Tensor text_attention(const at::Tensor& qkv, const TextInput& input, std::int64_t heads);

}  // namespace palimpsest
