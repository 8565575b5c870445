#include "subspace.h"

#include <algorithm>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/box_qp.h"

namespace palimpsest {
namespace {

// 1/2 a' G a - b' a, what Q is in a module along its directions.
struct Quadratic {
  std::vector<double> g, b;  // [rank, rank] and [rank]
};

// G = U' diag(S0) U and b = U' (S1 - S0 theta_hat) for U_k = u_k v_k'.
Quadratic quadratic_along(const ThinSvd& svd, const AdaptedModule& module,
                          const MergeInput& input) {
  const auto rank = static_cast<std::size_t>(svd.rank), in = static_cast<std::size_t>(module.in);
  Quadratic sum{.g = std::vector<double>(rank * rank), .b = std::vector<double>(rank)};
  std::vector<double> row_g(rank * rank), row_b(rank);
  for (std::int64_t i = 0; i < module.out; ++i) {
    const auto first = static_cast<std::size_t>(module.offset + i * module.in);
    const double *s0 = input.memory.s0().data() + first, *s1 = input.memory.s1().data() + first;
    std::fill(row_g.begin(), row_g.end(), 0.0);
    std::fill(row_b.begin(), row_b.end(), 0.0);
    for (std::size_t j = 0; j < in; ++j) {
      const double slope = s1[j] - s0[j] * input.merged[first + j];
      const double* const v = svd.v.data() + j * rank;
      for (std::size_t k = 0; k < rank; ++k) {
        row_b[k] += slope * v[k];
        const double weight = s0[j] * v[k];
        for (std::size_t l = 0; l <= k; ++l) row_g[k * rank + l] += weight * v[l];
      }
    }
    const double* const u = svd.u.data() + static_cast<std::size_t>(i) * rank;
    for (std::size_t k = 0; k < rank; ++k) {
      sum.b[k] += u[k] * row_b[k];
      for (std::size_t l = 0; l <= k; ++l) sum.g[k * rank + l] += u[k] * u[l] * row_g[k * rank + l];
    }
  }
  for (std::size_t k = 0; k < rank; ++k) {
    for (std::size_t l = 0; l < k; ++l) sum.g[l * rank + k] = sum.g[k * rank + l];
  }
  return sum;
}

}  // namespace

std::vector<double> module_coefficients(std::span<const LineTerms> terms, double alpha,
                                        double shrink) {
  double pull = 0;
  for (const LineTerms& module : terms) pull += module.denominator;
  pull *= shrink / static_cast<double>(terms.size());
  std::vector<double> coefficients;
  for (const LineTerms& module : terms) {
    const double curvature = module.denominator + pull;
    coefficients.push_back(curvature > 0
                               ? std::clamp((module.numerator + pull * alpha) / curvature, 0.0, 1.0)
                               : alpha);
  }
  return coefficients;
}

DirectionalStep directional_step(const MergeInput& input, std::span<const double> by_module,
                                 double shrink) {
  const std::span<const AdaptedModule> modules = input.layout.modules();
  if (input.factors.size() != modules.size()) {
    throw Error(concat("merge by direction: factors of ", input.factors.size(), " modules for ",
                       modules.size()));
  }
  DirectionalStep step;
  std::vector<Quadratic> quadratics;
  double pull = 0;
  for (std::size_t m = 0; m < modules.size(); ++m) {
    step.directions.push_back(thin_svd(input.factors[m], modules[m].out, modules[m].in));
    const std::size_t rank = static_cast<std::size_t>(step.directions.back().rank);
    quadratics.push_back(quadratic_along(step.directions.back(), modules[m], input));
    for (std::size_t k = 0; k < rank; ++k) pull += quadratics.back().g[k * rank + k];
    step.coefficients.insert(step.coefficients.end(), rank, by_module[m]);
    progress_made();
  }
  if (step.coefficients.empty()) return step;
  pull *= shrink / static_cast<double>(step.coefficients.size());
  std::span<double> rest(step.coefficients);
  for (std::size_t m = 0; m < modules.size(); ++m) {
    Quadratic& quadratic = quadratics[m];
    const std::size_t rank = quadratic.b.size();
    for (std::size_t k = 0; k < rank; ++k) {
      quadratic.g[k * rank + k] += pull;
      quadratic.b[k] += pull * by_module[m];
    }
    solve_box_qp(quadratic.g, quadratic.b, rest.first(rank));
    rest = rest.subspan(rank);
  }
  return step;
}

void apply(const MergeInput& input, std::span<const double> by_module, const DirectionalStep* step,
           std::span<float> result) {
  const std::span<const AdaptedModule> modules = input.layout.modules();
  std::size_t first_direction = 0;
  for (std::size_t m = 0; m < modules.size(); ++m) {
    const std::size_t rank = step ? static_cast<std::size_t>(step->directions[m].rank) : 0;
    std::vector<double> more(rank);
    for (std::size_t k = 0; k < rank; ++k) {
      more[k] = step->coefficients[first_direction + k] - by_module[m];
    }
    first_direction += rank;
    auto at = static_cast<std::size_t>(modules[m].offset);
    for (std::int64_t i = 0; i < modules[m].out; ++i) {
      for (std::int64_t j = 0; j < modules[m].in; ++j, ++at) {
        double moved = by_module[m] * input.task_vector[at];
        for (std::size_t k = 0; k < rank; ++k) {
          moved += more[k] * step->directions[m].u[static_cast<std::size_t>(i) * rank + k] *
                   step->directions[m].v[static_cast<std::size_t>(j) * rank + k];
        }
        result[at] = static_cast<float>(input.merged[at] + moved);
      }
    }
    progress_made();
  }
}

void merge_by_coordinate(const MergeInput& input, double shrink, std::span<float> result) {
  const std::span<const double> s0 = input.memory.s0(), s1 = input.memory.s1();
  double pull = 0;
  if (shrink > 0) {
    for (const double curvature : s0) pull += curvature;
    pull *= shrink / static_cast<double>(s0.size());
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double curvature = s0[i] + pull;
    const double coarse = shrink > 0 ? result[i] : 0;
    result[i] =
        curvature > 0 ? static_cast<float>((s1[i] + pull * coarse) / curvature) : input.merged[i];
  }
}

}  // namespace palimpsest
