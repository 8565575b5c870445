#include "palimpsest/model/host_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>
#include <c10/util/accumulate.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kernels/kernels.h"

namespace palimpsest {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The kernels take raw pointers.
void require(bool fits, std::string_view what, const at::Tensor& rows,
             std::span<const std::int64_t> lengths) {
  if (fits) return;
  throw Error(concat(what, ": a tensor of ", rows.size(0), " x ", rows.size(-1), " numbers and ",
                     lengths.size(), " samples of ", c10::sum_integers(lengths),
                     " tokens do not fit one another"));
}

// The heads of every sample, in the order of samples, then heads.
class Heads {
 public:
  Heads(const at::Tensor& qkv, std::span<const std::int64_t> lengths, std::int64_t heads,
        std::int64_t queries, const at::Tensor& bias)
      : qkv_(qkv), bias_(bias), heads_(heads), width_(qkv.size(1) / 3) {
    for (const std::int64_t length : lengths) {
      const std::int64_t asked = queries == 0 ? length : std::min(queries, length);
      samples_.push_back({tokens_, length, rows_, asked});
      tokens_ += length;
      rows_ += asked;
    }
  }

  std::int64_t rows() const { return rows_; }
  std::int64_t width() const { return width_; }
  bool all_ask() const { return rows_ == tokens_; }

  // Calls visit(head, place, scratch) for every head of every sample; the heads are shared among
  // the threads, whole.
  struct Place {
    std::int64_t in;        // of its first query in the rows of qkv
    std::int64_t out;       // the same in the rows of the result
    std::int64_t log_sums;  // of its first number there
  };
  template <typename Visit>
  void each(const Visit& visit) const {
    const float* data = qkv_.const_data_ptr<float>();
    const std::int64_t size = width_ / heads_, stride = 3 * width_;
    at::parallel_for(
        0, std::ssize(samples_) * heads_, 1, [&](std::int64_t first, std::int64_t end) {
          std::vector<float> scratch;
          for (std::int64_t i = first; i < end; ++i) {
            const Sample& sample = samples_[static_cast<std::size_t>(i / heads_)];
            const std::int64_t h = i % heads_;
            const float* query = data + sample.first * stride + h * size;
            const AttentionHead head{.query = query,
                                     .key = query + width_,
                                     .value = query + 2 * width_,
                                     .stride = stride,
                                     .tokens = sample.tokens,
                                     .queries = sample.queries,
                                     .size = size,
                                     .bias = bias_of(h)};
            const auto needed = static_cast<std::size_t>(kernels().attention_scratch(head));
            if (scratch.size() < needed) scratch.resize(needed);
            visit(head,
                  Place{.in = sample.first * stride + h * size,
                        .out = sample.row * width_ + h * size,
                        .log_sums = sample.row * heads_ + h * sample.queries},
                  scratch.data());
          }
        });
  }

 private:
  struct Sample {
    std::int64_t first, tokens;  // rows of qkv
    std::int64_t row, queries;   // rows of the result
  };

  // Of distance 0.
  const float* bias_of(std::int64_t head) const {
    if (!bias_.defined()) return nullptr;
    return bias_.const_data_ptr<float>() + head * bias_.size(1) + bias_.size(1) / 2;
  }

  const at::Tensor &qkv_, &bias_;
  std::int64_t heads_, width_;
  std::int64_t tokens_ = 0, rows_ = 0;
  std::vector<Sample> samples_;
};

// Saved: qkv, the logarithms of the softmax's denominators [rows * heads], and the bias.
class SampleAttention : public torch::autograd::Function<SampleAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv,
                            std::vector<std::int64_t> lengths, std::int64_t heads,
                            std::int64_t queries, const std::optional<at::Tensor>& given) {
    const at::Tensor bias = given.value_or(at::Tensor());
    const Heads all(qkv, lengths, heads, queries, bias);
    const at::Tensor out = at::empty({all.rows(), all.width()}, qkv.options());
    const at::Tensor log_sums = at::empty({all.rows() * heads}, qkv.options());
    float* to = out.mutable_data_ptr<float>();
    float* sums = log_sums.mutable_data_ptr<float>();
    all.each([&](const AttentionHead& head, const Heads::Place& place, float* scratch) {
      kernels().attention(head, to + place.out, all.width(), sums + place.log_sums, scratch);
    });
    context->save_for_backward({qkv, log_sums, bias});
    context->saved_data["lengths"] = std::move(lengths);
    context->saved_data["heads"] = heads;
    context->saved_data["queries"] = queries;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &qkv = saved[0], g = gradients[0].contiguous();
    const std::vector<std::int64_t> lengths = context->saved_data["lengths"].toIntVector();
    const Heads all(qkv, lengths, context->saved_data["heads"].toInt(),
                    context->saved_data["queries"].toInt(), saved[2]);
    const at::Tensor dqkv = at::empty_like(qkv);
    if (!all.all_ask()) dqkv.narrow(1, 0, all.width()).zero_();
    const float* from = g.const_data_ptr<float>();
    const float* sums = saved[1].const_data_ptr<float>();
    float* to = dqkv.mutable_data_ptr<float>();
    all.each([&](const AttentionHead& head, const Heads::Place& place, float* scratch) {
      float* query = to + place.in;
      kernels().attention_backward(head, from + place.out, all.width(), sums + place.log_sums,
                                   {.query = query,
                                    .key = query + all.width(),
                                    .value = query + 2 * all.width(),
                                    .stride = head.stride},
                                   scratch);
    });
    return {dqkv, {}, {}, {}, {}};
  }
};

// The shared heads of every sample, each with the heads of queries that look at it.
class GroupedHeads {
 public:
  GroupedHeads(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
               std::span<const std::int64_t> lengths, std::int64_t window)
      : query_(query), key_(key), value_(value), lengths_(lengths), window_(window) {
    for (const std::int64_t length : lengths) firsts_.push_back(firsts_.back() + length);
  }

  std::int64_t width() const { return query_.size(1) * query_.size(2); }

  struct Place {
    std::int64_t query;   // of its first number in rows of all heads of queries
    std::int64_t shared;  // the same for keys and values
    std::int64_t log_sums;
  };
  // Calls visit(heads, place, scratch) for every shared head of every sample, among the threads.
  template <typename Visit>
  void each(const Visit& visit) const {
    const std::int64_t shared = key_.size(1), size = key_.size(2), group = query_.size(1) / shared;
    at::parallel_for(
        0, std::ssize(lengths_) * shared, 1, [&](std::int64_t begin, std::int64_t end) {
          std::vector<float> scratch;
          for (std::int64_t i = begin; i < end; ++i) {
            const auto sample = static_cast<std::size_t>(i / shared);
            const std::int64_t h = i % shared, first = firsts_[sample];
            const CausalHeads heads{.query = row(query_, first) + h * group * size,
                                    .key = row(key_, first) + h * size,
                                    .value = row(value_, first) + h * size,
                                    .query_stride = query_.stride(0),
                                    .key_stride = key_.stride(0),
                                    .value_stride = value_.stride(0),
                                    .queries = group,
                                    .tokens = lengths_[sample],
                                    .size = size,
                                    .window = window_};
            const auto needed = static_cast<std::size_t>(kernels().causal_attention_scratch(heads));
            if (scratch.size() < needed) scratch.resize(needed);
            visit(heads,
                  Place{.query = (first * shared + h) * group * size,
                        .shared = (first * shared + h) * size,
                        .log_sums = (first * shared + h * lengths_[sample]) * group},
                  scratch.data());
          }
        });
  }

 private:
  static const float* row(const at::Tensor& heads, std::int64_t first) {
    return heads.const_data_ptr<float>() + first * heads.stride(0);
  }

  const at::Tensor &query_, &key_, &value_;
  std::span<const std::int64_t> lengths_;
  std::int64_t window_;
  std::vector<std::int64_t> firsts_{0};
};

// Saved: query, key and value, and the logarithms of the softmax's denominators.
class CausalAttention : public torch::autograd::Function<CausalAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& query,
                            const at::Tensor& key, const at::Tensor& value,
                            std::vector<std::int64_t> lengths, std::int64_t window) {
    const GroupedHeads all(query, key, value, lengths, window);
    const at::Tensor out = at::empty({query.size(0), all.width()}, query.options());
    const at::Tensor log_sums = at::empty({query.size(0) * query.size(1)}, query.options());
    float* to = out.mutable_data_ptr<float>();
    float* sums = log_sums.mutable_data_ptr<float>();
    all.each([&](const CausalHeads& heads, const GroupedHeads::Place& place, float* scratch) {
      kernels().causal_attention(heads, to + place.query, all.width(), sums + place.log_sums,
                                 scratch);
    });
    context->save_for_backward({query, key, value, log_sums});
    context->saved_data["lengths"] = std::move(lengths);
    context->saved_data["window"] = window;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &query = saved[0], &key = saved[1], g = gradients[0].contiguous();
    const std::vector<std::int64_t> lengths = context->saved_data["lengths"].toIntVector();
    const GroupedHeads all(query, key, saved[2], lengths, context->saved_data["window"].toInt());
    const at::Tensor dquery = at::empty(query.sizes(), query.options()),
                     dkey = at::empty(key.sizes(), key.options()),
                     dvalue = at::empty(key.sizes(), key.options());
    const float* from = g.const_data_ptr<float>();
    const float* sums = saved[3].const_data_ptr<float>();
    all.each([&](const CausalHeads& heads, const GroupedHeads::Place& place, float* scratch) {
      kernels().causal_attention_backward(heads, from + place.query, all.width(),
                                          sums + place.log_sums,
                                          {.query = dquery.mutable_data_ptr<float>() + place.query,
                                           .key = dkey.mutable_data_ptr<float>() + place.shared,
                                           .value = dvalue.mutable_data_ptr<float>() + place.shared,
                                           .query_stride = all.width(),
                                           .shared_stride = key.size(1) * key.size(2)},
                                          scratch);
    });
    return {dquery, dkey, dvalue, {}, {}};
  }
};

// Each head's numbers side by side, and the heads of a row, too.
at::Tensor with_whole_rows(const at::Tensor& heads) {
  const bool whole = heads.stride(2) == 1 && heads.stride(1) == heads.size(2);
  return whole ? heads : heads.contiguous();
}

// x: rows of the weight's width, contiguous; scales: one a row, or undefined.
at::Tensor compute_rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon,
                            const at::Tensor& scales) {
  const std::int64_t width = weight.numel();
  const at::Tensor y = at::empty_like(x);
  const float* from = x.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  float* scales_to = scales.defined() ? scales.mutable_data_ptr<float>() : nullptr;
  at::parallel_for(0, x.numel() / width, 8, [&](std::int64_t first, std::int64_t end) {
    kernels().rms_norm(from + first * width, weight.const_data_ptr<float>(),
                       static_cast<float>(epsilon), to + first * width,
                       scales_to == nullptr ? nullptr : scales_to + first, end - first, width);
  });
  return y;
}

// Saved: x, the weight, and the scale of each row.
class RmsNormalisation : public torch::autograd::Function<RmsNormalisation> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            double epsilon) {
    const at::Tensor scales = at::empty({x.numel() / weight.numel()}, x.options());
    at::Tensor y = compute_rms_norm(x, weight, epsilon, scales);
    context->save_for_backward({x, weight, scales});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], g = gradients[0].contiguous();
    const std::int64_t width = weight.numel();
    at::Tensor dx = at::empty_like(x);
    float* to = dx.mutable_data_ptr<float>();
    at::parallel_for(0, x.numel() / width, 8, [&](std::int64_t first, std::int64_t end) {
      kernels().rms_norm_backward(
          g.const_data_ptr<float>() + first * width, x.const_data_ptr<float>() + first * width,
          weight.const_data_ptr<float>(), saved[2].const_data_ptr<float>() + first,
          to + first * width, end - first, width);
    });
    return {dx, {}, {}};
  }
};

// Of x, or with its slope where that is wanted.
at::Tensor compute_gelu(const at::Tensor& x, const at::Tensor& slope) {
  const at::Tensor y = at::empty_like(x);
  const float* from = x.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  float* slopes = slope.defined() ? slope.mutable_data_ptr<float>() : nullptr;
  at::parallel_for(0, x.numel(), 4096, [&](std::int64_t first, std::int64_t end) {
    kernels().gelu(from + first, to + first, slopes == nullptr ? nullptr : slopes + first,
                   end - first);
  });
  return y;
}

// Saved: the slope at x.
class Gelu : public torch::autograd::Function<Gelu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x) {
    const at::Tensor slope = at::empty_like(x);
    at::Tensor y = compute_gelu(x, slope);
    context->save_for_backward({slope});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gradients[0] * context->get_saved_variables()[0]};
  }
};

// x: [rows, 2 width], contiguous; slopes: the same shape, or undefined.
at::Tensor compute_swiglu(const at::Tensor& x, const at::Tensor& slopes) {
  const std::int64_t width = x.size(1) / 2;
  const at::Tensor y = at::empty({x.size(0), width}, x.options());
  const float* from = x.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  float* slopes_to = slopes.defined() ? slopes.mutable_data_ptr<float>() : nullptr;
  at::parallel_for(0, x.size(0), 4, [&](std::int64_t first, std::int64_t end) {
    kernels().swiglu(from + 2 * first * width, to + first * width,
                     slopes_to == nullptr ? nullptr : slopes_to + 2 * first * width, end - first,
                     width);
  });
  return y;
}

// Saved: the slopes at x.
class SwiGlu : public torch::autograd::Function<SwiGlu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x) {
    const at::Tensor slopes = at::empty_like(x);
    at::Tensor y = compute_swiglu(x, slopes);
    context->save_for_backward({slopes});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const at::Tensor slopes = context->get_saved_variables()[0];
    return {
        slopes.view({slopes.size(0), 2, -1}).mul(gradients[0].unsqueeze(1)).view(slopes.sizes())};
  }
};

}  // namespace

at::Tensor sample_attention(const at::Tensor& qkv, std::span<const std::int64_t> lengths,
                            std::int64_t heads, std::int64_t queries, const at::Tensor& bias) {
  require(
      qkv.dim() == 2 && c10::sum_integers(lengths) == qkv.size(0) && qkv.size(1) % (3 * heads) == 0,
      "attention", qkv, lengths);
  require(!bias.defined() ||
              (has_host_kernels(bias) && bias.is_contiguous() && bias.dim() == 2 &&
               bias.size(0) == heads && 2 * std::ranges::max(lengths) - 1 <= bias.size(1)),
          "attention's bias", qkv, lengths);
  return SampleAttention::apply(qkv.contiguous(),
                                std::vector<std::int64_t>(lengths.begin(), lengths.end()), heads,
                                queries, bias.defined() ? std::optional(bias) : std::nullopt);
}

at::Tensor causal_sample_attention(const at::Tensor& query, const at::Tensor& key,
                                   const at::Tensor& value, std::span<const std::int64_t> lengths,
                                   std::int64_t window) {
  require(query.dim() == 3 && key.dim() == 3 && key.sizes() == value.sizes() &&
              query.size(0) == key.size(0) && query.size(2) == key.size(2) &&
              query.size(1) % key.size(1) == 0 && c10::sum_integers(lengths) == query.size(0),
          "causal attention", query, lengths);
  return CausalAttention::apply(with_whole_rows(query), with_whole_rows(key),
                                with_whole_rows(value),
                                std::vector<std::int64_t>(lengths.begin(), lengths.end()), window);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  if (!has_host_kernels(x)) return at::rms_norm(x, weight.sizes(), weight, epsilon);
  require(weight.dim() == 1 && x.size(-1) == weight.numel() && has_host_kernels(weight), "RMS norm",
          x, {});
  const bool gradients = x.requires_grad() && c10::GradMode::is_enabled();
  return gradients ? RmsNormalisation::apply(x.contiguous(), weight.contiguous(), epsilon)
                   : compute_rms_norm(x.contiguous(), weight.contiguous(), epsilon, {});
}

at::Tensor erf_gelu(const at::Tensor& x) {
  if (!has_host_kernels(x)) return at::gelu(x);
  const bool gradients = x.requires_grad() && c10::GradMode::is_enabled();
  return gradients ? Gelu::apply(x.contiguous()) : compute_gelu(x.contiguous(), {});
}

at::Tensor swiglu(const at::Tensor& x) {
  require(x.dim() == 2 && x.size(1) % 2 == 0, "swiglu", x, {});
  if (!has_host_kernels(x)) {
    const std::vector<at::Tensor> halves = x.chunk(2, 1);
    return at::silu(halves[0]) * halves[1];
  }
  const bool gradients = x.requires_grad() && c10::GradMode::is_enabled();
  return gradients ? SwiGlu::apply(x.contiguous()) : compute_swiglu(x.contiguous(), {});
}

namespace {

void add_squared_products_here(const at::Tensor& gradient, const at::Tensor& input,
                               at::IntArrayRef lengths, const at::Tensor& sum) {
  const at::Tensor g = gradient.to(at::kFloat), x = input.to(at::kFloat);
  constexpr std::int64_t kRows = 96;  // of a thread's share at least; a multiple of any tile's
  const std::int64_t out = g.size(1), in = x.size(1);
  require(c10::sum_integers(lengths) == x.size(0) && g.size(0) == x.size(0) && g.stride(1) == 1 &&
              x.stride(1) == 1 && sum.is_contiguous() && sum.size(0) == out && sum.size(1) == in,
          "squared products", x, lengths);
  const float* g_rows = g.const_data_ptr<float>();
  const float* x_rows = x.const_data_ptr<float>();
  float* to = sum.mutable_data_ptr<float>();
  at::parallel_for(0, (out + kRows - 1) / kRows, 1, [&](std::int64_t first, std::int64_t end) {
    const std::int64_t row = first * kRows, rows = std::min(end * kRows, out) - row;
    std::vector<float> scratch(
        static_cast<std::size_t>(kernels().squared_products_scratch(x.size(0), rows)));
    kernels().add_squared_products(g_rows + row, g.stride(0), x_rows, x.stride(0), lengths.data(),
                                   std::ssize(lengths), to + row * in, rows, in, scratch.data());
  });
}

// a b in float32, [samples, rows, columns]. Products of two bf16 numbers are exact in float32, so
// that nothing is lost where LibTorch (2.8 and later) multiplies them as they are.
at::Tensor products_in_float(const at::Tensor& a, const at::Tensor& b) {
  using Bmm = at::Tensor(const at::Tensor&, const at::Tensor&, at::ScalarType);
  static const auto found = c10::Dispatcher::singleton().findSchema({"aten::bmm", "dtype"});
  if (a.scalar_type() == at::kBFloat16 && found) return found->typed<Bmm>().call(a, b, at::kFloat);
  return a.to(at::kFloat).bmm(b.to(at::kFloat));
}

// Where there is no kernel: gradients of a few samples at once, all of one length.
void add_squared_products_elsewhere(const at::Tensor& g, const at::Tensor& x,
                                    at::IntArrayRef lengths, const at::Tensor& sum) {
  constexpr std::int64_t kGroup = 16;
  const std::int64_t samples = std::ssize(lengths), length = lengths.front();
  require(std::ranges::count(lengths, length) == samples, "squared products of one length", x,
          lengths);
  for (std::int64_t first = 0; first < samples; first += kGroup) {
    const std::int64_t count = std::min(kGroup, samples - first);
    const auto group = [&](const at::Tensor& rows) {
      return rows.narrow(0, first * length, count * length).view({count, length, rows.size(1)});
    };
    const at::Tensor gradients = products_in_float(group(g).transpose(1, 2), group(x));
    sum.add_(at::linalg_vector_norm(gradients, 2, {0}).square_());  // in one pass over memory
  }
}

using SquaredProducts = void(const at::Tensor&, const at::Tensor&, at::IntArrayRef,
                             const at::Tensor&);
constexpr const char* kSquaredProducts = "palimpsest::add_squared_products";

}  // namespace

// An operator of LibTorch's, so that the device chooses, and what records operators sees it.
TORCH_LIBRARY(palimpsest, library) {
  library.def("add_squared_products(Tensor g, Tensor x, int[] lengths, Tensor(a!) sum) -> ()");
  library.impl("add_squared_products", c10::DispatchKey::CPU, &add_squared_products_here);
  library.impl("add_squared_products", c10::DispatchKey::CompositeExplicitAutograd,
               &add_squared_products_elsewhere);
}

void add_squared_products(const at::Tensor& g, const at::Tensor& x,
                          std::span<const std::int64_t> lengths, const at::Tensor& sum) {
  static const auto call =
      c10::Dispatcher::singleton().findSchemaOrThrow(kSquaredProducts, "").typed<SquaredProducts>();
  call.call(g, x, at::IntArrayRef(lengths.data(), lengths.size()), sum);
}

}  // namespace palimpsest
