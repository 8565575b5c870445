#pragma once
// Rows of attention: keys as columns, softmax and its gradient.
#include <cmath>
#include <cstdint>
#include <limits>

#include "tile.h"

namespace palimpsest::CPU_CAPABILITY {

// [tokens, size] -> [size, padded], zeros where there is no token.
inline void transpose(const float* rows, std::int64_t stride, std::int64_t tokens,
                      std::int64_t size, float* columns) {
  const std::int64_t padded = rounded_up(tokens);
  for (std::int64_t k = 0; k < size; ++k) {
    float* to = columns + k * padded;
    for (std::int64_t j = 0; j < tokens; ++j) to[j] = rows[j * stride + k];
    for (std::int64_t j = tokens; j < padded; ++j) to[j] = 0;
  }
}

// Rows side by side: far apart, they would push one another out of the nearest cache.
inline const float* gather(const float* rows, std::int64_t stride, std::int64_t count,
                           std::int64_t size, float* into) {
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t k = 0; k < size; ++k) into[i * size + k] = rows[i * stride + k];
  }
  return into;
}

inline float largest(const float* row, std::int64_t count) {
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

inline float sum_values(const Vector& parts) {
  alignas(64) float each[kWidth];
  parts.store(each);
  float sum = 0;
  for (const float value : each) sum += value;
  return sum;
}

inline float sum_values(const float* row, std::int64_t count) {
  Vector sum(0.0f);
  for (std::int64_t j = 0; j < count; j += kWidth) sum = sum + Vector::loadu(row + j);
  return sum_values(sum);
}

inline void exponentials(float* row, std::int64_t count, float minus) {
  for (std::int64_t j = 0; j < count; j += kWidth) {
    (Vector::loadu(row + j) - Vector(minus)).exp_u20().store(row + j);
  }
}

inline void scale(float* row, std::int64_t count, float factor) {
  for (std::int64_t j = 0; j < count; j += kWidth) {
    (Vector::loadu(row + j) * Vector(factor)).store(row + j);
  }
}

// slopes[j] = p[j] (slopes[j] - sum_j p[j] slopes[j]) factor: from the gradient of a row's weights
// p to that of its scores.
inline void softmax_backward(const float* p, float* slopes, std::int64_t count, float factor) {
  Vector products(0.0f);
  for (std::int64_t j = 0; j < count; j += kWidth) {
    products = at::vec::fmadd(Vector::loadu(p + j), Vector::loadu(slopes + j), products);
  }
  const Vector mean(sum_values(products));
  for (std::int64_t j = 0; j < count; j += kWidth) {
    (Vector::loadu(p + j) * (Vector::loadu(slopes + j) - mean) * Vector(factor)).store(slopes + j);
  }
}

// Scores to weights that sum to one. Returns the logarithm of the softmax's denominator.
inline float softmax(float* row, std::int64_t count) {
  const float most = largest(row, count);
  exponentials(row, count, most);
  const float sum = sum_values(row, count);
  scale(row, count, 1 / sum);
  return most + std::log(sum);
}

}  // namespace palimpsest::CPU_CAPABILITY
