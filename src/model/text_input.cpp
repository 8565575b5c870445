#include "palimpsest/model/text_input.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "palimpsest/model/host_kernels.h"

namespace palimpsest {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows [tokens, width] to [texts * longest, width], zeros where there is no token; and back.
at::Tensor to_rectangle(const at::Tensor& rows, const at::Tensor& rectangle) {
  if (!rectangle.defined()) return rows;
  return at::cat({rows, at::zeros({1, rows.size(1)}, rows.options())}).index_select(0, rectangle);
}
at::Tensor from_rectangle(const at::Tensor& rows, const at::Tensor& place) {
  return place.defined() ? rows.index_select(0, place) : rows;
}

// Saved tensors: query|key|value [3, texts * heads, longest, d], attention weights, rectangle,
// place.
class TextAttention : public torch::autograd::Function<TextAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv, const TextInput& input,
                            std::int64_t heads) {
    const std::int64_t texts = std::ssize(input.lengths), longest = input.longest,
                       d = qkv.size(1) / 3 / heads;
    const at::Tensor parts = to_rectangle(qkv, input.rectangle)
                                 .view({texts, longest, 3, heads, d})
                                 .permute({2, 0, 3, 1, 4})
                                 .reshape({3, texts * heads, longest, d});
    at::Tensor scores =
        parts[0].bmm(parts[1].transpose(1, 2)).mul_(1 / std::sqrt(static_cast<double>(d)));
    if (input.mask.defined()) scores.view({texts, heads, longest, longest}).add_(input.mask);
    const at::Tensor weights = at::softmax(scores, -1);
    context->save_for_backward({parts, weights, input.rectangle, input.place});
    return from_rectangle(weights.bmm(parts[2])
                              .view({texts, heads, longest, d})
                              .transpose(1, 2)
                              .reshape({texts * longest, heads * d}),
                          input.place);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &parts = saved[0], &weights = saved[1], &rectangle = saved[2],
                     &place = saved[3];
    const std::int64_t longest = parts.size(2), d = parts.size(3), heads = gradients[0].size(1) / d;
    const std::int64_t texts = parts.size(1) / heads;
    const at::Tensor g = to_rectangle(gradients[0].contiguous(), rectangle)
                             .view({texts, longest, heads, d})
                             .transpose(1, 2)
                             .reshape({texts * heads, longest, d});
    const at::Tensor scores = at::_softmax_backward_data(g.bmm(parts[2].transpose(1, 2)), weights,
                                                         -1, weights.scalar_type())
                                  .mul_(1 / std::sqrt(static_cast<double>(d)));
    const at::Tensor dparts = at::stack({scores.bmm(parts[1]), scores.transpose(1, 2).bmm(parts[0]),
                                         weights.transpose(1, 2).bmm(g)});
    return {from_rectangle(dparts.view({3, texts, heads, longest, d})
                               .permute({1, 3, 0, 2, 4})
                               .reshape({texts * longest, 3 * heads * d}),
                           place),
            at::Tensor(), at::Tensor()};
  }
};

at::Tensor to_tensor(std::span<const std::int64_t> values, at::Device device) {
  return at::from_blob(const_cast<std::int64_t*>(values.data()), {std::ssize(values)}, at::kLong)
      .to(device, at::kLong, /*non_blocking=*/false, /*copy=*/true);
}

void add_rectangle(TextInput& input, std::int64_t tokens, at::Device device) {
  const std::int64_t texts = std::ssize(input.lengths);
  input.longest = *std::ranges::max_element(input.lengths);
  if (texts * input.longest == tokens) return;
  std::vector<std::int64_t> place(static_cast<std::size_t>(tokens));
  std::vector<std::int64_t> rectangle(static_cast<std::size_t>(texts * input.longest), tokens);
  at::Tensor mask = at::zeros({texts, 1, 1, input.longest});
  std::int64_t first = 0;
  for (std::int64_t text = 0; text < texts; ++text) {
    const std::int64_t length = input.lengths[static_cast<std::size_t>(text)],
                       corner = text * input.longest;
    std::iota(place.begin() + first, place.begin() + first + length, corner);
    std::iota(rectangle.begin() + corner, rectangle.begin() + corner + length, first);
    mask.select(0, text)
        .narrow(2, length, input.longest - length)
        .fill_(-std::numeric_limits<float>::infinity());
    first += length;
  }
  input.rectangle = to_tensor(rectangle, device);
  input.place = to_tensor(place, device);
  input.mask = mask.to(device);
}

}  // namespace

TextInput make_text_input(std::span<const std::int64_t> ids, std::span<const std::int64_t> lengths,
                          at::Device device, at::ScalarType precision) {
  const std::int64_t texts = std::ssize(lengths), tokens = std::ssize(ids);
  TextInput input;
  input.lengths.assign(lengths.begin(), lengths.end());
  std::vector<std::int64_t> positions(ids.size());
  at::Tensor pooling = at::zeros({texts, tokens});
  std::int64_t first = 0;
  for (std::int64_t text = 0; text < texts; ++text) {
    const std::int64_t length = lengths[static_cast<std::size_t>(text)];
    std::iota(positions.begin() + first, positions.begin() + first + length, 0);
    pooling.select(0, text).narrow(0, first, length).fill_(1.0 / static_cast<double>(length));
    first += length;
  }
  input.ids = to_tensor(ids, device);
  input.positions = to_tensor(positions, device);
  input.pooling = pooling.to(device);
  if (!has_host_kernels(device, precision)) add_rectangle(input, tokens, device);
  return input;
}

at::Tensor text_attention(const at::Tensor& qkv, const TextInput& input, std::int64_t heads) {
  if (has_host_kernels(qkv)) return sample_attention(qkv, input.lengths, heads);
  return TextAttention::apply(qkv, input, heads);
}

}  // namespace palimpsest
