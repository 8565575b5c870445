#pragma once
// Passes over rows of float32 in host memory that no library has as one: compiled for every
// instruction set that LibTorch knows, with its vector types, and chosen as LibTorch chooses.
#include <cstdint>

namespace palimpsest {

// One head of attention within one sample: rows of `size` numbers each, `stride` numbers apart.
struct AttentionHead {
  const float *query, *key, *value;
  std::int64_t stride;
  std::int64_t tokens;
  std::int64_t queries;  // of these tokens the first ones ask; the others' queries don't matter
  std::int64_t size;
  const float* bias = nullptr;  // bias[j - i] is added to the score of query i and key j
};

// Where the gradients of a head go: rows as those of the head.
struct AttentionGradients {
  float *query, *key, *value;
  std::int64_t stride;
};

// Heads of queries and the one head of keys and values that they share, within one sample: rows of
// `size` numbers each, the strides apart. Head h of the queries is at query + h * size.
struct CausalHeads {
  const float *query, *key, *value;
  std::int64_t query_stride, key_stride, value_stride;
  std::int64_t queries;  // heads
  std::int64_t tokens;
  std::int64_t size;
  std::int64_t window;  // a token sees itself and window - 1 before it; 0: all before it
};

// Where the gradients of these heads go; keys and values have the shared stride.
struct CausalGradients {
  float *query, *key, *value;
  std::int64_t query_stride, shared_stride;
};

struct Kernels {
  // Numbers of scratch memory that a head needs in either pass.
  std::int64_t (*attention_scratch)(const AttentionHead& head);

  // out[i] = sum_j softmax_j(q_i . k_j / sqrt(size) + bias[j - i]) v_j for each query i,
  // `out_stride` numbers apart. log_sums[i]: the logarithm of the softmax's denominator, for the
  // backward pass.
  void (*attention)(const AttentionHead& head, float* out, std::int64_t out_stride, float* log_sums,
                    float* scratch);

  // From the gradient g of out: those of query (rows 0 .. queries-1), key and value; written.
  void (*attention_backward)(const AttentionHead& head, const float* g, std::int64_t g_stride,
                             const float* log_sums, const AttentionGradients& gradients,
                             float* scratch);

  // The same where a token sees itself and those before it, in memory that grows with the tokens,
  // not with their square. out: head h at out + h * size; log_sums: [queries, tokens].
  std::int64_t (*causal_attention_scratch)(const CausalHeads& heads);
  void (*causal_attention)(const CausalHeads& heads, float* out, std::int64_t out_stride,
                           float* log_sums, float* scratch);
  void (*causal_attention_backward)(const CausalHeads& heads, const float* g, std::int64_t g_stride,
                                    const float* log_sums, const CausalGradients& gradients,
                                    float* scratch);

  // For each of `rows` rows of x: y = x scale weight, scale = 1 / sqrt(mean(x^2) + epsilon).
  // `scales`, one a row for the backward pass, may be null.
  void (*rms_norm)(const float* x, const float* weight, float epsilon, float* y, float* scales,
                   std::int64_t rows, std::int64_t width);
  // From the gradient g of y: dx = scale (g weight - x scale^2 mean(g weight x)).
  void (*rms_norm_backward)(const float* g, const float* x, const float* weight,
                            const float* scales, float* dx, std::int64_t rows, std::int64_t width);

  // y = x Phi(x) and slope = dy/dx, with Phi the normal distribution's function (erf by Abramowitz
  // and Stegun 7.1.26: within 1.5e-7). `slope` may be null.
  void (*gelu)(const float* x, float* y, float* slope, std::int64_t count);

  // For each of `rows` rows of x, a gate g and a factor u of `width` numbers each: y = silu(g) u
  // and slopes = (dy/dg, dy/du), silu(g) = g / (1 + exp(-g)). `slopes` may be null.
  void (*swiglu)(const float* x, float* y, float* slopes, std::int64_t rows, std::int64_t width);

  // sum[o, i] += sum_n (sum_tau g[tau, o] x[tau, i])^2 over samples n, whose rows tau lie one
  // after another, lengths[n] of them; for o in [0, out), i in [0, in). `sum`: [out, in].
  void (*add_squared_products)(const float* g, std::int64_t g_stride, const float* x,
                               std::int64_t x_stride, const std::int64_t* lengths,
                               std::int64_t samples, float* sum, std::int64_t out, std::int64_t in,
                               float* scratch);
  // Numbers of scratch memory that this needs for so many rows.
  std::int64_t (*squared_products_scratch)(std::int64_t tokens, std::int64_t out);
};

const Kernels& kernels();

}  // namespace palimpsest
