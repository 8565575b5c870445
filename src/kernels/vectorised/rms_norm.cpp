#include <cmath>

#include "attention_rows.h"
#include "variants.h"

namespace palimpsest::CPU_CAPABILITY {
namespace {

// The sum of product(i, count), the vector at i of `count` numbers, over [0, width).
template <typename Product>
float sum_over(std::int64_t width, const Product& product) {
  Vector sum(0.0f);
  for (std::int64_t i = 0; i < width; i += kWidth) {
    sum = sum + product(i, width - i < kWidth ? width - i : kWidth);
  }
  return sum_values(sum);
}

}  // namespace

void rms_norm(const float* x, const float* weight, float epsilon, float* y, float* scales,
              std::int64_t rows, std::int64_t width) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const from = x + row * width;
    float* const to = y + row * width;
    const float squares = sum_over(width, [&](std::int64_t i, std::int64_t count) {
      const Vector part = Vector::loadu(from + i, count);
      return part * part;
    });
    const float scale = 1 / std::sqrt(squares / static_cast<float>(width) + epsilon);
    for (std::int64_t i = 0; i < width; i += kWidth) {
      const std::int64_t count = width - i < kWidth ? width - i : kWidth;
      (Vector::loadu(from + i, count) * Vector(scale) * Vector::loadu(weight + i, count))
          .store(to + i, count);
    }
    if (scales != nullptr) scales[row] = scale;
  }
}

void rms_norm_backward(const float* g, const float* x, const float* weight, const float* scales,
                       float* dx, std::int64_t rows, std::int64_t width) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float *const gradient = g + row * width, *const from = x + row * width;
    const float scale = scales[row];
    const float product = sum_over(width, [&](std::int64_t i, std::int64_t count) {
      return Vector::loadu(gradient + i, count) * Vector::loadu(weight + i, count) *
             Vector::loadu(from + i, count);
    });
    const Vector along(product * scale * scale / static_cast<float>(width));
    for (std::int64_t i = 0; i < width; i += kWidth) {
      const std::int64_t count = width - i < kWidth ? width - i : kWidth;
      const Vector weighted = Vector::loadu(gradient + i, count) * Vector::loadu(weight + i, count);
      ((weighted - Vector::loadu(from + i, count) * along) * Vector(scale))
          .store(dx + row * width + i, count);
    }
  }
}

}  // namespace palimpsest::CPU_CAPABILITY
