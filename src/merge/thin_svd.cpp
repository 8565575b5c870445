#include "palimpsest/merge/thin_svd.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

using Columns = std::vector<std::vector<double>>;

double dot(const std::vector<double>& one, const std::vector<double>& other) {
  return std::inner_product(one.begin(), one.end(), other.begin(), 0.0);
}

void rotate(std::vector<double>& one, std::vector<double>& other, double c, double s) {
  for (std::size_t i = 0; i < one.size(); ++i) {
    const double a = one[i], b = other[i];
    one[i] = c * a - s * b;
    other[i] = s * a + c * b;
  }
}

// Rotates the columns until they are orthogonal, and those of `along` with them, so that
// sum_k columns_k along_k' stays.
void orthogonalise(Columns& columns, Columns& along) {
  constexpr double kOrthogonal = 1e-15;
  constexpr int kSweeps = 60;  // it converges quadratically: about ten are used
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    bool rotated = false;
    for (std::size_t p = 0; p + 1 < columns.size(); ++p) {
      for (std::size_t q = p + 1; q < columns.size(); ++q) {
        const double pp = dot(columns[p], columns[p]), qq = dot(columns[q], columns[q]);
        const double pq = dot(columns[p], columns[q]);
        if (std::abs(pq) <= kOrthogonal * std::sqrt(pp) * std::sqrt(qq)) continue;
        const double zeta = (qq - pp) / (2 * pq);
        const double t = std::copysign(1.0, zeta) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double c = 1 / std::hypot(1.0, t);
        rotate(columns[p], columns[q], c, c * t);
        rotate(along[p], along[q], c, c * t);
        rotated = true;
      }
    }
    if (!rotated) return;
  }
}

// Column k of `along` takes the length of column k, which is left with length 1. A column that is
// rounding beside the longest one becomes zero in both.
void hand_over_lengths(Columns& columns, Columns& along) {
  constexpr double kRounding = 1e-14;
  double longest = 0;
  for (const auto& column : columns) longest = std::max(longest, std::sqrt(dot(column, column)));
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const double length = std::sqrt(dot(columns[k], columns[k]));
    const bool keeps = length > kRounding * longest;
    for (double& value : columns[k]) value = keeps ? value / length : 0;
    for (double& value : along[k]) value = keeps ? value * length : 0;
  }
}

std::vector<double> interleaved(const Columns& columns, const std::vector<std::size_t>& order,
                                std::size_t rows) {
  std::vector<double> values;
  for (std::size_t i = 0; i < rows; ++i) {
    for (const std::size_t k : order) values.push_back(columns[k][i]);
  }
  return values;
}

}  // namespace

ThinSvd thin_svd(const LowRankFactors& factors, std::int64_t out, std::int64_t in) {
  const std::int64_t rank = factors.rank;
  if (std::ssize(factors.a) != rank * in || std::ssize(factors.b) != out * rank) {
    throw Error(concat("singular directions: A has ", factors.a.size(), " values for [", rank, ", ",
                       in, "], B ", factors.b.size(), " for [", out, ", ", rank, "]"));
  }
  const auto r = static_cast<std::size_t>(rank);
  Columns a(r), b(r);
  for (std::size_t k = 0; k < r; ++k) {
    const auto row =
        factors.a.subspan(k * static_cast<std::size_t>(in), static_cast<std::size_t>(in));
    a[k].assign(row.begin(), row.end());
    for (std::size_t i = 0; i < static_cast<std::size_t>(out); ++i) {
      b[k].push_back(factors.scale * factors.b[i * r + k]);
    }
  }
  // B A = sum_k b_k a_k'. With the a_k orthonormal, orthogonal b_k are the singular directions.
  orthogonalise(a, b);
  hand_over_lengths(a, b);
  orthogonalise(b, a);

  std::vector<double> lengths;
  for (const auto& column : b) lengths.push_back(dot(column, column));
  std::vector<std::size_t> order(r);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return lengths[i] > lengths[j]; });
  return {.rank = rank,
          .u = interleaved(b, order, static_cast<std::size_t>(out)),
          .v = interleaved(a, order, static_cast<std::size_t>(in))};
}

}  // namespace palimpsest
