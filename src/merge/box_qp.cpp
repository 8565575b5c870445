#include "palimpsest/merge/box_qp.h"

#include <algorithm>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

void solve_box_qp(std::span<const double> g, std::span<const double> b, std::span<double> x) {
  constexpr double kStill = 1e-15;
  constexpr int kSweeps = 20000;
  const std::size_t n = x.size();
  const auto is_finite = [](double value) { return std::isfinite(value); };
  if (b.size() != n || g.size() != n * n || !std::all_of(g.begin(), g.end(), is_finite) ||
      !std::all_of(b.begin(), b.end(), is_finite) || !std::all_of(x.begin(), x.end(), is_finite)) {
    throw Error(concat("box QP: expected finite numbers, G [", n, ", ", n, "] and b [", n,
                       "]; found ", g.size(), " and ", b.size(), " values"));
  }
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    double moved = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double curvature = g[i * n + i];
      if (!(curvature > 0)) continue;
      double rest = b[i];
      for (std::size_t j = 0; j < n; ++j) {
        if (j != i) rest -= g[i * n + j] * x[j];
      }
      const double to = std::clamp(rest / curvature, 0.0, 1.0);
      moved = std::max(moved, std::abs(to - x[i]));
      x[i] = to;
    }
    if (moved <= kStill) return;
  }
}

}  // namespace palimpsest
