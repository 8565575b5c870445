#include "palimpsest/model/text_input.h"

#include <ATen/ATen.h>

#include <limits>
#include <numeric>

#include "palimpsest/model/host_kernels.h"
#include "palimpsest/model/layers.h"

namespace palimpsest {
namespace {

// Each text with its own row for every place, through LibTorch's fused attention.
at::Tensor padded_attention(const at::Tensor& qkv, const TextInput& input, std::int64_t heads) {
  const std::int64_t texts = std::ssize(input.lengths), width = input.lengths.front();
  const auto [query, key, value] = attention_heads(qkv, texts, heads);
  return at::scaled_dot_product_attention(query, key, value,
                                          input.mask.expand({-1, heads, width, -1}))
      .transpose(1, 2)
      .reshape({texts * width, -1});
}

// Whether token i sees token j: [width, width].
at::Tensor causal_view(std::int64_t width, std::int64_t window, at::Device device) {
  const at::Tensor place = at::arange(width, at::TensorOptions(device).dtype(at::kLong));
  const at::Tensor distance = place.unsqueeze(1) - place;
  const at::Tensor sees = distance >= 0;
  return window > 0 ? sees.logical_and_(distance < window) : sees;
}

// [texts * width, heads, d] -> [texts, heads, width, d]; a shared head is repeated.
at::Tensor by_text(const at::Tensor& rows, std::int64_t texts, std::int64_t heads) {
  const at::Tensor parts = rows.view({texts, -1, rows.size(1), rows.size(2)}).transpose(1, 2);
  return rows.size(1) == heads ? parts : parts.repeat_interleave(heads / rows.size(1), 1);
}

}  // namespace

TextInput make_text_input(const Texts& texts) {
  std::vector<std::int64_t> positions(texts.ids.size()), last;
  at::Tensor pooling = at::zeros({std::ssize(texts.lengths), std::ssize(texts.ids)});
  std::int64_t text = 0, first = 0;
  for (const std::int64_t length : texts.lengths) {
    std::iota(positions.begin() + first, positions.begin() + first + length, 0);
    pooling.select(0, text++).narrow(0, first, length).fill_(1.0 / static_cast<double>(length));
    first += length;
    last.push_back(first - 1);
  }
  return {.ids = at::tensor(texts.ids, at::kLong),
          .positions = at::tensor(positions, at::kLong),
          .pooling = pooling,
          .last = at::tensor(last, at::kLong),
          .lengths = texts.lengths};
}

// Everything follows from the tensors on the device, so that it can be recorded there.
TextInput make_text_input(const PaddedTexts& texts, std::int64_t positions,
                          at::ScalarType precision) {
  const std::int64_t count = texts.ids.size(0), width = texts.ids.size(1);
  const at::Tensor place = at::arange(width, texts.ids.options());
  const at::Tensor is_token = place < texts.lengths.unsqueeze(1);  // [texts, width]
  return {.ids = texts.ids.flatten(),
          .positions = place.clamp_max(positions - 1).repeat(count),
          .pooling = is_token.to(at::kFloat).div_(texts.lengths.unsqueeze(1)).unsqueeze(1),
          .last = at::arange(count, texts.ids.options()).mul_(width).add_(texts.lengths).sub_(1),
          .lengths = std::vector<std::int64_t>(static_cast<std::size_t>(count), width),
          .mask = at::zeros({count, 1, 1, width}, place.options().dtype(precision))
                      .masked_fill_(is_token.logical_not().view({count, 1, 1, width}),
                                    -std::numeric_limits<double>::infinity())};
}

TextInput make_text_input(const Batch& batch, std::int64_t positions, at::ScalarType precision) {
  if (const auto* padded = std::get_if<PaddedTexts>(&batch.samples))
    return make_text_input(*padded, positions, precision);
  return make_text_input(std::get<Texts>(batch.samples));
}

TextInput with_attention_bias(TextInput input, const at::Tensor& bias) {
  if (!input.mask.defined()) {
    input.bias = bias;
    return input;
  }
  const std::int64_t width = input.mask.size(3), farthest = bias.size(1) / 2;
  const at::Tensor place = at::arange(width, input.ids.options());
  // What fills a text up may be farther away than any token: it is masked.
  const at::Tensor distance = (place - place.unsqueeze(1)).clamp_(-farthest, farthest);
  input.mask = input.mask + bias.index_select(1, distance.add_(farthest).flatten())
                                .view({-1, width, width})
                                .to(input.mask.scalar_type());
  return input;
}

TextInput with_causal_mask(TextInput input, std::int64_t window) {
  if (!input.mask.defined()) return input;
  const std::int64_t width = input.mask.size(3);
  const at::Device device = input.mask.device();
  // What fills a text up sees itself, lest a row see nothing.
  const at::Tensor itself = at::eye(width, at::TensorOptions(device).dtype(at::kBool));
  input.mask = input.mask
                   .masked_fill(causal_view(width, window, device).logical_not(),
                                -std::numeric_limits<double>::infinity())
                   .masked_fill(itself, 0);
  return input;
}

at::Tensor mean_over_tokens(const at::Tensor& states, const TextInput& input) {
  const at::Tensor hidden = states.to(input.pooling.scalar_type());
  if (!input.mask.defined()) return at::mm(input.pooling, hidden);
  const std::int64_t texts = input.pooling.size(0);
  return at::bmm(input.pooling, hidden.view({texts, -1, hidden.size(1)})).squeeze(1);
}

at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            const TextInput& input, std::int64_t window) {
  if (!input.mask.defined()) {
    return causal_sample_attention(query.to(at::kFloat), key.to(at::kFloat), value.to(at::kFloat),
                                   input.lengths, window)
        .to(query.scalar_type());
  }
  const std::int64_t texts = std::ssize(input.lengths), heads = query.size(1);
  return at::scaled_dot_product_attention(by_text(query, texts, heads), by_text(key, texts, heads),
                                          by_text(value, texts, heads), input.mask)
      .transpose(1, 2)
      .reshape({query.size(0), -1});
}

std::vector<std::int64_t> text_rows(const Batch& batch) {
  if (const auto* padded = std::get_if<PaddedTexts>(&batch.samples)) {
    return std::vector<std::int64_t>(static_cast<std::size_t>(batch.size()), padded->ids.size(1));
  }
  return std::get<Texts>(batch.samples).lengths;
}

at::Tensor text_attention(const at::Tensor& qkv, const TextInput& input, std::int64_t heads) {
  if (input.mask.defined()) return padded_attention(qkv, input, heads);
  return sample_attention(qkv.to(at::kFloat), input.lengths, heads, /*queries=*/0, input.bias)
      .to(qkv.scalar_type());
}

}  // namespace palimpsest
