#include "palimpsest/merge/curvature_memory.h"

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

void check_size(std::string_view what, std::size_t found, std::size_t expected) {
  if (found != expected) {
    throw Error(concat("curvature memory: ", what, " has ", found, " values; expected ", expected));
  }
}

}  // namespace

CurvatureMemory::CurvatureMemory(std::vector<double> s0, std::vector<double> s1)
    : s0_(std::move(s0)), s1_(std::move(s1)) {
  check_size("S1", s1_.size(), s0_.size());
}

void CurvatureMemory::add(std::span<const float> fisher, std::span<const float> task_weights,
                          double factor) {
  check_size("the Fisher", fisher.size(), s0_.size());
  check_size("theta*", task_weights.size(), s0_.size());
  if (!std::isfinite(factor) || factor < 0) {
    throw Error(concat("curvature memory: the Fisher's factor is ", factor,
                       "; expected a finite number >= 0"));
  }
  for (std::size_t i = 0; i < fisher.size(); ++i) {
    if (!std::isfinite(fisher[i]) || fisher[i] < 0 || !std::isfinite(task_weights[i])) {
      throw Error(concat("curvature memory: element ", i, " has Fisher ", fisher[i], " and weight ",
                         task_weights[i], "; expected finite numbers and a Fisher >= 0"));
    }
  }
  for (std::size_t i = 0; i < fisher.size(); ++i) {
    const double f = factor * fisher[i];
    s0_[i] += f;
    s1_[i] += f * task_weights[i];
  }
}

LineTerms CurvatureMemory::along(std::span<const float> merged, std::span<const float> direction,
                                 std::size_t first) const {
  check_size("theta_hat", merged.size(), direction.size());
  if (first + direction.size() > size()) {
    throw Error(concat("curvature memory: elements ", first, " to ", first + direction.size(),
                       " asked of ", size()));
  }
  LineTerms terms;
  for (std::size_t i = 0; i < direction.size(); ++i) {
    const double d = direction[i];
    const double f = s0_[first + i];
    terms.numerator -= (f * merged[i] - s1_[first + i]) * d;
    terms.denominator += f * d * d;
  }
  return terms;
}

double fisher_mass(std::span<const float> fisher, std::span<const float> direction) {
  check_size("the direction", direction.size(), fisher.size());
  double mass = 0;
  for (std::size_t i = 0; i < fisher.size(); ++i)
    mass += static_cast<double>(fisher[i]) * direction[i] * direction[i];
  return mass;
}

}  // namespace palimpsest
