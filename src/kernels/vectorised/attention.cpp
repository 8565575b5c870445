#include <cmath>
#include <limits>

#include "attention_rows.h"
#include "variants.h"

namespace palimpsest::CPU_CAPABILITY {
namespace {

// scores[i, j] = q_i . k_j / sqrt(size) + bias[j - i], -inf where there is no token j.
void score(const AttentionHead& head, const float* keys, float* scores) {
  const std::int64_t padded = rounded_up(head.tokens);
  multiply({head.query, head.stride, 1, keys, padded, head.size}, head.queries, padded,
           1 / std::sqrt(static_cast<float>(head.size)), scores, padded);
  for (std::int64_t i = 0; i < head.queries; ++i) {
    if (head.bias != nullptr) {
      const float* bias = head.bias - i;
      for (std::int64_t j = 0; j < head.tokens; ++j) scores[i * padded + j] += bias[j];
    }
    for (std::int64_t j = head.tokens; j < padded; ++j) {
      scores[i * padded + j] = -std::numeric_limits<float>::infinity();
    }
  }
}

}  // namespace

// Scratch: keys or values as columns, the weights, in the backward pass their gradient, and rows
// side by side.
std::int64_t attention_scratch(const AttentionHead& head) {
  return (head.size + 2 * head.queries) * rounded_up(head.tokens) + head.size * head.tokens;
}

void attention(const AttentionHead& head, float* out, std::int64_t out_stride, float* log_sums,
               float* scratch) {
  const std::int64_t padded = rounded_up(head.tokens);
  float* weights = scratch + head.size * padded;
  transpose(head.key, head.stride, head.tokens, head.size, scratch);
  score(head, scratch, weights);
  for (std::int64_t i = 0; i < head.queries; ++i) {
    log_sums[i] = softmax(weights + i * padded, padded);
  }
  const float* value =
      gather(head.value, head.stride, head.tokens, head.size, weights + 2 * head.queries * padded);
  multiply({weights, padded, 1, value, head.size, head.tokens}, head.queries, head.size, 1, out,
           out_stride);
}

// With P the weights: dV = P' g, dP = g V', dS = P * (dP - rowsum(P * dP)) / sqrt(size),
// dQ = dS K, dK = dS' Q.
void attention_backward(const AttentionHead& head, const float* g, std::int64_t g_stride,
                        const float* log_sums, const AttentionGradients& gradients,
                        float* scratch) {
  const std::int64_t padded = rounded_up(head.tokens);
  float* weights = scratch + head.size * padded;
  float* slopes = weights + head.queries * padded;
  float* rows = slopes + head.queries * padded;
  transpose(head.key, head.stride, head.tokens, head.size, scratch);
  score(head, scratch, weights);
  for (std::int64_t i = 0; i < head.queries; ++i) {
    exponentials(weights + i * padded, padded, log_sums[i]);
  }
  const float* out_gradient = gather(g, g_stride, head.queries, head.size, rows);
  multiply({weights, 1, padded, out_gradient, head.size, head.queries}, head.tokens, head.size, 1,
           gradients.value, gradients.stride);

  transpose(head.value, head.stride, head.tokens, head.size, scratch);
  multiply({out_gradient, head.size, 1, scratch, padded, head.size}, head.queries, padded, 1,
           slopes, padded);
  const float factor = 1 / std::sqrt(static_cast<float>(head.size));
  for (std::int64_t i = 0; i < head.queries; ++i) {
    softmax_backward(weights + i * padded, slopes + i * padded, padded, factor);
  }
  const float* key = gather(head.key, head.stride, head.tokens, head.size, rows);
  multiply({slopes, padded, 1, key, head.size, head.tokens}, head.queries, head.size, 1,
           gradients.query, gradients.stride);
  const float* query = gather(head.query, head.stride, head.queries, head.size, rows);
  multiply({slopes, 1, padded, query, head.size, head.queries}, head.tokens, head.size, 1,
           gradients.key, gradients.stride);
}

}  // namespace palimpsest::CPU_CAPABILITY
