#pragma once
// The passes of palimpsest/kernels as tensor operations that autograd knows: float32 in host
// memory.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace palimpsest {

// Whether there are kernels for such tensors.
inline bool has_host_kernels(const at::Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat;
}

// softmax(q k^T / sqrt(d)) v within each sample. qkv: [tokens, 3 width], query, key and value side
// by side, each in `heads` parts of d = width / heads; the tokens of sample i are `lengths[i]`
// rows, one sample after another. Only the first `queries` tokens of a sample ask (0: all), and
// only they have a row in the result, [rows, width]. `bias`, a constant: [heads, 2 n - 1] float32,
// of which bias[h, n - 1 + j - i] is added to the score of tokens i and j before the softmax.
// Throws Error where the lengths don't add up to the rows, the width is no multiple of the heads,
// or a sample is longer than n.
at::Tensor sample_attention(const at::Tensor& qkv, std::span<const std::int64_t> lengths,
                            std::int64_t heads, std::int64_t queries = 0,
                            const at::Tensor& bias = {});

// The same where a token of a sample sees itself and those before it; with a window, itself and
// window - 1 before it. query: [tokens, heads, d], key and value: [tokens, shared heads, d], each
// for heads / shared heads of the queries' heads -> [tokens, heads * d]. Throws Error where the
// shapes and lengths don't fit one another.
at::Tensor causal_sample_attention(const at::Tensor& query, const at::Tensor& key,
                                   const at::Tensor& value, std::span<const std::int64_t> lengths,
                                   std::int64_t window);

// x / sqrt(mean(x^2) + epsilon) * weight over the last dimension, with a constant weight; where
// there is no kernel, LibTorch's.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

// x Phi(x), with Phi the normal distribution's function, within 1e-6; where there is no
// kernel, LibTorch's.
at::Tensor erf_gelu(const at::Tensor& x);

// silu(g) u of the first and second half of each row of x [rows, 2 width]: [rows, width]; where
// there is no kernel, by LibTorch. Throws Error for an odd number of columns.
at::Tensor swiglu(const at::Tensor& x);

// sum[o, i] += sum_n (sum_tau g[tau, o] x[tau, i])^2 over samples n, whose `lengths[n]` rows lie
// one after another. g [tokens, out], x [tokens, in], their rows contiguous; sum [out, in].
// g and x of one type, float32 or bf16, the sums in float32; on a device all lengths are one.
// Throws Error where shapes, strides and lengths don't fit one another.
void add_squared_products(const at::Tensor& g, const at::Tensor& x,
                          std::span<const std::int64_t> lengths, const at::Tensor& sum);

}  // namespace palimpsest
