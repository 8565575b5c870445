#include <cmath>
#include <limits>

#include "tile.h"
#include "variants.h"

namespace palimpsest::CPU_CAPABILITY {
namespace {

// [tokens, size] -> [size, padded], zeros where there is no token.
void transpose(const float* rows, const AttentionHead& head, float* columns) {
  const std::int64_t padded = rounded_up(head.tokens);
  for (std::int64_t k = 0; k < head.size; ++k) {
    float* to = columns + k * padded;
    for (std::int64_t j = 0; j < head.tokens; ++j) to[j] = rows[j * head.stride + k];
    for (std::int64_t j = head.tokens; j < padded; ++j) to[j] = 0;
  }
}

// Rows side by side: far apart, they would push one another out of the nearest cache.
const float* gather(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t size,
                    float* into) {
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k = 0; k < size; ++k) into[i * size + k] = rows[i * stride + k];
  }
  return into;
}

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

float largest(const float* row, std::int64_t count) {
  Vector all(-std::numeric_limits<float>::infinity());
  for (std::int64_t j = 0; j < count; j += kWidth) {
    all = at::vec::maximum(all, Vector::loadu(row + j));
  }
  alignas(64) float each[kWidth];
  all.store(each);
  float most = each[0];
  for (const float value : each) most = value > most ? value : most;
  return most;
}

float sum_values(const Vector& parts) {
  alignas(64) float each[kWidth];
  parts.store(each);
  float sum = 0;
  for (const float value : each) sum += value;
  return sum;
}

float sum_values(const float* row, std::int64_t count) {
  Vector sum(0.0f);
  for (std::int64_t j = 0; j < count; j += kWidth) sum = sum + Vector::loadu(row + j);
  return sum_values(sum);
}

void exponentials(float* row, std::int64_t count, float minus) {
  for (std::int64_t j = 0; j < count; j += kWidth) {
    (Vector::loadu(row + j) - Vector(minus)).exp_u20().store(row + j);
  }
}

void scale(float* row, std::int64_t count, float factor) {
  for (std::int64_t j = 0; j < count; j += kWidth) {
    (Vector::loadu(row + j) * Vector(factor)).store(row + j);
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
  transpose(head.key, head, scratch);
  score(head, scratch, weights);
  for (std::int64_t i = 0; i < head.queries; ++i) {
    float* row = weights + i * padded;
    const float most = largest(row, padded);
    exponentials(row, padded, most);
    const float sum = sum_values(row, padded);
    scale(row, padded, 1 / sum);
    log_sums[i] = most + std::log(sum);
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
  transpose(head.key, head, scratch);
  score(head, scratch, weights);
  for (std::int64_t i = 0; i < head.queries; ++i) {
    exponentials(weights + i * padded, padded, log_sums[i]);
  }
  const float* out_gradient = gather(g, g_stride, head.queries, head.size, rows);
  multiply({weights, 1, padded, out_gradient, head.size, head.queries}, head.tokens, head.size, 1,
           gradients.value, gradients.stride);

  transpose(head.value, head, scratch);
  multiply({out_gradient, head.size, 1, scratch, padded, head.size}, head.queries, padded, 1,
           slopes, padded);
  const float factor = 1 / std::sqrt(static_cast<float>(head.size));
  for (std::int64_t i = 0; i < head.queries; ++i) {
    const float* p = weights + i * padded;
    float* s = slopes + i * padded;
    Vector products(0.0f);
    for (std::int64_t j = 0; j < padded; j += kWidth) {
      products = at::vec::fmadd(Vector::loadu(p + j), Vector::loadu(s + j), products);
    }
    const Vector mean(sum_values(products));
    for (std::int64_t j = 0; j < padded; j += kWidth) {
      (Vector::loadu(p + j) * (Vector::loadu(s + j) - mean) * Vector(factor)).store(s + j);
    }
  }
  const float* key = gather(head.key, head.stride, head.tokens, head.size, rows);
  multiply({slopes, padded, 1, key, head.size, head.tokens}, head.queries, head.size, 1,
           gradients.query, gradients.stride);
  const float* query = gather(head.query, head.stride, head.queries, head.size, rows);
  multiply({slopes, 1, padded, query, head.size, head.queries}, head.tokens, head.size, 1,
           gradients.key, gradients.stride);
}

}  // namespace palimpsest::CPU_CAPABILITY
