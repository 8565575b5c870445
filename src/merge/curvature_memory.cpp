#include "palimpsest/merge/curvature_memory.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "palimpsest/core/error.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr float kLargest = std::numeric_limits<float>::max();

void check_size(std::string_view what, std::size_t found, std::size_t expected) {
  if (found != expected) {
    throw Error(concat("curvature memory: ", what, " has ", found, " values; expected ", expected));
  }
}

// The sum of term(0) .. term(count - 1) as eight interleaved sums, added in order at the end: an
// order that is the same on every machine, in which the processor need not wait for each addition.
template <typename Term>
double interleaved_sum(std::size_t count, const Term& term) {
  constexpr std::size_t kSums = 8;
  double sums[kSums] = {};
  std::size_t i = 0;
  for (; i + kSums <= count; i += kSums) {
    for (std::size_t k = 0; k < kSums; ++k) sums[k] += term(i + k);
  }
  for (std::size_t k = 0; i < count; ++i, ++k) sums[k] += term(i);
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

// curvature . direction^2
template <typename Number>
double mass_along(const Number* curvature, std::span<const float> direction) {
  return interleaved_sum(direction.size(), [&](std::size_t i) {
    const double d = direction[i];
    return curvature[i] * d * d;
  });
}

}  // namespace

CurvatureMemory::CurvatureMemory(std::vector<double> s0, std::vector<double> s1)
    : s0_(std::move(s0)), s1_(std::move(s1)) {
  check_size("S1", s1_.size(), s0_.size());
}

std::string curvature_instance(std::string_view kind, std::string_view scale) {
  return concat("curvature/", kind, ":scale=", scale);
}

CurvatureMemory take_curvature(NamedTensors& memory, const std::string& instance) {
  if (instance.empty()) return CurvatureMemory(0);
  std::vector<double> s0 = memory.take<double>(instance + "/s0", {kAnySize});
  return {std::move(s0), memory.take<double>(instance + "/s1", {kAnySize})};
}

void put_curvature(NamedTensors& memory, const std::string& instance, CurvatureMemory curvature) {
  if (instance.empty()) return;
  const TensorDims dims = {static_cast<std::int64_t>(curvature.size())};
  auto [s0, s1] = std::move(curvature).release();
  memory.put(instance + "/s0", {.dims = dims, .values = std::move(s0), .keeper = Keeper::kRoot});
  memory.put(instance + "/s1", {.dims = dims, .values = std::move(s1), .keeper = Keeper::kRoot});
}

void CurvatureMemory::check(std::span<const float> fisher, std::span<const float> task_weights,
                            double factor) const {
  check_size("the Fisher", fisher.size(), s0_.size());
  check_size("theta*", task_weights.size(), s0_.size());
  if (!std::isfinite(factor) || factor < 0) {
    throw Error(concat("curvature memory: the Fisher's factor is ", factor,
                       "; expected a finite number >= 0"));
  }
  const auto is_bad = [&](std::size_t i) {
    return !(fisher[i] >= 0 && fisher[i] <= kLargest && std::abs(task_weights[i]) <= kLargest);
  };
  bool any_bad = false;
  for (std::size_t i = 0; i < fisher.size(); ++i) any_bad |= is_bad(i);
  for (std::size_t i = 0; any_bad && i < fisher.size(); ++i) {
    if (!is_bad(i)) continue;
    throw Error(concat("curvature memory: element ", i, " has Fisher ", fisher[i], " and weight ",
                       task_weights[i], "; expected finite numbers and a Fisher >= 0"));
  }
}

void CurvatureMemory::add(std::span<const float> fisher, std::span<const float> task_weights,
                          double factor, int threads) {
  check(fisher, task_weights, factor);
  for_each_part(size(), threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const double f = factor * fisher[i];
      s0_[i] += f;
      s1_[i] += f * task_weights[i];
    }
  });
}

void CurvatureMemory::remove(std::span<const float> fisher, std::span<const float> task_weights,
                             double factor, int threads) {
  check(fisher, task_weights, factor);
  for_each_part(size(), threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const double f = factor * fisher[i];
      s0_[i] = std::max(0.0, s0_[i] - f);
      s1_[i] -= f * task_weights[i];
    }
  });
}

void CurvatureMemory::check_range(std::size_t first, std::size_t count) const {
  if (first + count > size())
    throw Error(
        concat("curvature memory: elements ", first, " to ", first + count, " asked of ", size()));
}

double CurvatureMemory::slope(std::span<const float> merged, std::span<const float> direction,
                              std::size_t first) const {
  check_size("theta_hat", merged.size(), direction.size());
  check_range(first, direction.size());
  const double *s0 = s0_.data() + first, *s1 = s1_.data() + first;
  return interleaved_sum(direction.size(), [&](std::size_t i) {
    return (s1[i] - s0[i] * merged[i]) * static_cast<double>(direction[i]);
  });
}

double CurvatureMemory::mass(std::span<const float> direction, std::size_t first) const {
  check_range(first, direction.size());
  return mass_along(s0_.data() + first, direction);
}

double quadratic_form(std::span<const float> fisher, std::span<const float> direction) {
  check_size("the direction", direction.size(), fisher.size());
  return mass_along(fisher.data(), direction);
}

double quadratic_rise(std::span<const float> fisher, std::span<const float> weights,
                      std::span<const float> optimum) {
  check_size("theta_hat", weights.size(), fisher.size());
  check_size("theta*", optimum.size(), fisher.size());
  return 0.5 * interleaved_sum(fisher.size(), [&](std::size_t i) {
           const double away = static_cast<double>(weights[i]) - optimum[i];
           return fisher[i] * away * away;
         });
}

double quadratic_rise(const AdaptedLayout& layout, const ModuleShare* share,
                      std::span<const float> fisher, std::span<const float> weights,
                      std::span<const float> optimum) {
  return sum_by_module(layout, share, 1, [&](std::size_t first, std::size_t size) {
    return quadratic_rise(fisher.subspan(first, size), weights.subspan(first, size),
                          optimum.subspan(first, size));
  });
}

}  // namespace palimpsest
