#include "tile.h"
#include "variants.h"

namespace palimpsest::CPU_CAPABILITY {
namespace {

struct Gelu {
  Vector y, slope;
};

// erfc(z) = (a1 t + ... + a5 t^5) exp(-z^2), t = 1 / (1 + p z), for z = |x| / sqrt(2).
Gelu gelu_and_slope(const Vector& x) {
  const Vector one(1.0f), half(0.5f);
  const Vector t = one / at::vec::fmadd(x.abs(), Vector(0.3275911f * 0.70710678f), one);
  const Vector density = (x * x * Vector(-0.5f)).exp();
  Vector tail(1.061405429f);
  for (const float a : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f}) {
    tail = at::vec::fmadd(tail, t, Vector(a));
  }
  tail = tail * t * density * half;  // Phi(-|x|)
  const Vector phi = Vector::blendv(one - tail, tail, x < Vector(0.0f));
  return {x * phi, at::vec::fmadd(x * density, Vector(0.39894228f), phi)};
}

}  // namespace

void gelu(const float* x, float* y, float* slope, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kWidth) {
    const std::int64_t width = count - i < kWidth ? count - i : kWidth;
    const Gelu result = gelu_and_slope(Vector::loadu(x + i, width));
    result.y.store(y + i, width);
    if (slope != nullptr) result.slope.store(slope + i, width);
  }
}

}  // namespace palimpsest::CPU_CAPABILITY
