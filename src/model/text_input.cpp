#include "palimpsest/model/text_input.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <numeric>

namespace palimpsest {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The rows of a run in qkv as [3, texts * heads, length, d].
at::Tensor by_head(const at::Tensor& qkv, const TextRun& run, std::int64_t heads) {
  const std::int64_t d = qkv.size(1) / 3 / heads;
  return qkv.narrow(0, run.first_token, run.texts * run.length)
      .view({run.texts, run.length, 3, heads, d})
      .permute({2, 0, 3, 1, 4})
      .reshape({3, run.texts * heads, run.length, d});
}

// The rows of a run in a [tokens, hidden] tensor as [texts, heads, length, d], a view.
at::Tensor rows_by_head(const at::Tensor& rows, const TextRun& run, std::int64_t heads) {
  return rows.narrow(0, run.first_token, run.texts * run.length)
      .view({run.texts, run.length, heads, rows.size(1) / heads})
      .permute({0, 2, 1, 3});
}

class TextAttention : public torch::autograd::Function<TextAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv,
                            const std::vector<TextRun>& runs, std::int64_t heads) {
    const std::int64_t hidden = qkv.size(1) / 3;
    const double scale = 1 / std::sqrt(static_cast<double>(hidden / heads));
    at::Tensor out = at::empty({qkv.size(0), hidden}, qkv.options());
    variable_list saved{qkv};
    std::vector<std::int64_t> shape{heads};
    for (const TextRun& run : runs) {
      const at::Tensor parts = by_head(qkv, run, heads);
      const at::Tensor weights =
          at::softmax(parts[0].bmm(parts[1].transpose(1, 2)).mul_(scale), -1);
      rows_by_head(out, run, heads)
          .copy_(weights.bmm(parts[2]).view({run.texts, heads, run.length, hidden / heads}));
      saved.push_back(weights);
      shape.insert(shape.end(), {run.first_token, run.texts, run.length});
    }
    context->save_for_backward(saved);
    context->saved_data["shape"] = shape;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const std::vector<std::int64_t> shape = context->saved_data["shape"].toIntVector();
    const at::Tensor& qkv = saved[0];
    const std::int64_t heads = shape[0], hidden = qkv.size(1) / 3, d = hidden / heads;
    const double scale = 1 / std::sqrt(static_cast<double>(d));
    const at::Tensor g = gradients[0].contiguous();
    at::Tensor dqkv = at::empty_like(qkv);
    for (std::size_t r = 0; r + 1 < saved.size(); ++r) {
      const TextRun run{shape[3 * r + 1], shape[3 * r + 2], shape[3 * r + 3]};
      const at::Tensor parts = by_head(qkv, run, heads);
      const at::Tensor& weights = saved[r + 1];
      const at::Tensor dout =
          rows_by_head(g, run, heads).reshape({run.texts * heads, run.length, d});
      const at::Tensor dscores = at::_softmax_backward_data(dout.bmm(parts[2].transpose(1, 2)),
                                                            weights, -1, weights.scalar_type())
                                     .mul_(scale);
      at::Tensor into = dqkv.narrow(0, run.first_token, run.texts * run.length)
                            .view({run.texts, run.length, 3, heads, d})
                            .permute({2, 0, 3, 1, 4});
      const auto store = [&](std::int64_t which, const at::Tensor& part) {
        into.select(0, which).copy_(part.view({run.texts, heads, run.length, d}));
      };
      store(0, dscores.bmm(parts[1]));
      store(1, dscores.transpose(1, 2).bmm(parts[0]));
      store(2, weights.transpose(1, 2).bmm(dout));
    }
    return {dqkv, at::Tensor(), at::Tensor()};
  }
};

at::Tensor to_tensor(const std::vector<std::int64_t>& values, at::Device device) {
  return at::from_blob(const_cast<std::int64_t*>(values.data()), {std::ssize(values)}, at::kLong)
      .to(device, at::kLong, /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace

TextInput make_text_input(std::span<const std::int64_t> ids, std::span<const std::int64_t> lengths,
                          at::Device device) {
  TextInput input;
  input.lengths.assign(lengths.begin(), lengths.end());
  std::vector<std::int64_t> positions(ids.size());
  at::Tensor pooling = at::zeros({std::ssize(lengths), std::ssize(ids)});
  std::int64_t first = 0;
  for (std::int64_t text = 0; text < std::ssize(lengths); ++text) {
    const std::int64_t length = lengths[static_cast<std::size_t>(text)];
    std::iota(positions.begin() + first, positions.begin() + first + length, 0);
    pooling.select(0, text).narrow(0, first, length).fill_(1.0 / static_cast<double>(length));
    if (!input.runs.empty() && input.runs.back().length == length) {
      ++input.runs.back().texts;
    } else {
      input.runs.push_back({.first_token = first, .texts = 1, .length = length});
    }
    first += length;
  }
  input.ids = to_tensor({ids.begin(), ids.end()}, device);
  input.positions = to_tensor(positions, device);
  input.pooling = pooling.to(device);
  return input;
}

at::Tensor text_attention(const at::Tensor& qkv, const std::vector<TextRun>& runs,
                          std::int64_t heads) {
  return TextAttention::apply(qkv, runs, heads);
}

}  // namespace palimpsest
