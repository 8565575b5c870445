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
  at::Tensor last;       // [texts] int64: the row of each text's last token
  std::vector<std::int64_t> lengths;  // rows of each text
  // Padded: [texts, 1, 1, width], 0, or -inf where there is no token; with a bias on the attention
  // [texts, heads, width, width], their sum.
  at::Tensor mask = {};
  at::Tensor bias = {};  // not padded: [heads, 2 n - 1], by distance, as sample_attention takes it
};

TextInput make_text_input(const Texts& texts);
// On the device of the texts. `precision`: of query, key and value. `positions`: how many the
// backbone knows.
TextInput make_text_input(const PaddedTexts& texts, std::int64_t positions,
                          at::ScalarType precision);

// Of a batch of texts, in either form.
TextInput make_text_input(const Batch& batch, std::int64_t positions, at::ScalarType precision);

// The same texts with a bias on their attention's scores, [heads, 2 n - 1] float32: bias[h, n - 1 +
// j - i] where token i looks at token j.
TextInput with_attention_bias(TextInput input, const at::Tensor& bias);

// The mean of each text's hidden states: [tokens, hidden] -> [texts, hidden].
at::Tensor mean_over_tokens(const at::Tensor& hidden, const TextInput& input);

// softmax(q k^T / sqrt(d) + bias) v of each text by itself. qkv: [tokens, 3 hidden] (query, key,
// value side by side, each in `heads` parts of d = hidden / heads) -> [tokens, hidden].
at::Tensor text_attention(const at::Tensor& qkv, const TextInput& input, std::int64_t heads);

// The same texts for causal_attention: padded, the mask says which tokens a token sees.
TextInput with_causal_mask(TextInput input, std::int64_t window);

// The same where a token sees itself and those before it; with a window, itself and window - 1
// before it. query: [tokens, heads, d]; key and value: [tokens, shared heads, d], each for heads /
// shared heads of the queries' heads; input: by with_causal_mask() -> [tokens, heads * d].
at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            const TextInput& input, std::int64_t window);

// How many rows each text of a batch has.
std::vector<std::int64_t> text_rows(const Batch& batch);

}  // namespace palimpsest
