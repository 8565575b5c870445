#include "tile.h"
#include "variants.h"

namespace palimpsest::CPU_CAPABILITY {

// With s the logistic function at the gate g: y = g s u, dy/dg = u s (1 + g (1 - s)), dy/du = g s.
void swiglu(const float* x, float* y, float* slopes, std::int64_t rows, std::int64_t width) {
  const Vector one(1.0f);
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const gates = x + 2 * row * width;
    float* const slopes_of_gates = slopes == nullptr ? nullptr : slopes + 2 * row * width;
    for (std::int64_t i = 0; i < width; i += kWidth) {
      const std::int64_t count = width - i < kWidth ? width - i : kWidth;
      const Vector gate = Vector::loadu(gates + i, count),
                   up = Vector::loadu(gates + width + i, count);
      const Vector share = one / (one + gate.neg().exp()), silu = gate * share;
      (silu * up).store(y + row * width + i, count);
      if (slopes == nullptr) continue;
      const Vector slope = share * at::vec::fmadd(gate, one - share, one);
      (up * slope).store(slopes_of_gates + i, count);
      silu.store(slopes_of_gates + width + i, count);
    }
  }
}

}  // namespace palimpsest::CPU_CAPABILITY
