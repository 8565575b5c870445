#pragma once
// What every instruction set's compilation defines, each in its own namespace.
#include "palimpsest/kernels/kernels.h"

#define PALIMPSEST_KERNELS(instruction_set)                                                        \
  namespace palimpsest::instruction_set {                                                          \
  std::int64_t attention_scratch(const AttentionHead& head);                                       \
  void attention(const AttentionHead& head, float* out, std::int64_t out_stride, float* log_sums,  \
                 float* scratch);                                                                  \
  void attention_backward(const AttentionHead& head, const float* g, std::int64_t g_stride,        \
                          const float* log_sums, const AttentionGradients& gradients,              \
                          float* scratch);                                                         \
  std::int64_t causal_attention_scratch(const CausalHeads& heads);                                 \
  void causal_attention(const CausalHeads& heads, float* out, std::int64_t out_stride,             \
                        float* log_sums, float* scratch);                                          \
  void causal_attention_backward(const CausalHeads& heads, const float* g, std::int64_t g_stride,  \
                                 const float* log_sums, const CausalGradients& gradients,          \
                                 float* scratch);                                                  \
  void rms_norm(const float* x, const float* weight, float epsilon, float* y, float* scales,       \
                std::int64_t rows, std::int64_t width);                                            \
  void rms_norm_backward(const float* g, const float* x, const float* weight, const float* scales, \
                         float* dx, std::int64_t rows, std::int64_t width);                        \
  void gelu(const float* x, float* y, float* slope, std::int64_t count);                           \
  void swiglu(const float* x, float* y, float* slopes, std::int64_t rows, std::int64_t width);     \
  void add_squared_products(const float* g, std::int64_t g_stride, const float* x,                 \
                            std::int64_t x_stride, const std::int64_t* lengths,                    \
                            std::int64_t samples, float* sum, std::int64_t out, std::int64_t in,   \
                            float* scratch);                                                       \
  std::int64_t squared_products_scratch(std::int64_t tokens, std::int64_t out);                    \
  inline constexpr Kernels kKernels{.attention_scratch = attention_scratch,                        \
                                    .attention = attention,                                        \
                                    .attention_backward = attention_backward,                      \
                                    .causal_attention_scratch = causal_attention_scratch,          \
                                    .causal_attention = causal_attention,                          \
                                    .causal_attention_backward = causal_attention_backward,        \
                                    .rms_norm = rms_norm,                                          \
                                    .rms_norm_backward = rms_norm_backward,                        \
                                    .gelu = gelu,                                                  \
                                    .swiglu = swiglu,                                              \
                                    .add_squared_products = add_squared_products,                  \
                                    .squared_products_scratch = squared_products_scratch};         \
  }

#ifdef CPU_CAPABILITY
PALIMPSEST_KERNELS(CPU_CAPABILITY)
#endif
