#include "statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace palimpsest {
namespace {

// |s| |B A|, from trace((B'B)(A A')): both are [rank, rank], and the product [out, in] is never
// formed.
double norm_of_delta(const LoraFactors& factors) {
  const auto rank = static_cast<std::size_t>(factors.rank);
  const auto out = static_cast<std::size_t>(factors.out);
  const auto in = static_cast<std::size_t>(factors.in);
  double trace = 0;
  for (std::size_t i = 0; i < rank; ++i) {
    for (std::size_t j = 0; j < rank; ++j) {
      double b = 0, a = 0;
      for (std::size_t row = 0; row < out; ++row) {
        b += static_cast<double>(factors.b[row * rank + i]) * factors.b[row * rank + j];
      }
      for (std::size_t column = 0; column < in; ++column) {
        a += static_cast<double>(factors.a[i * in + column]) * factors.a[j * in + column];
      }
      trace += b * a;
    }
  }
  return std::abs(factors.scale) * std::sqrt(std::max(0.0, trace));
}

}  // namespace

double frobenius_norm(std::span<const float> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

std::vector<ModuleStatistics> module_statistics(const TaskRecord& record) {
  std::vector<ModuleStatistics> statistics;
  auto fisher =
      record.fisher ? record.fisher->values.begin() : std::vector<float>::const_iterator();
  for (const LoraFactors& factors : record.lora) {
    ModuleStatistics module;
    module.module = factors.module;
    module.out = factors.out;
    module.in = factors.in;
    module.rank = factors.rank;
    module.scale = factors.scale;
    module.norm_a = frobenius_norm(factors.a);
    module.norm_b = frobenius_norm(factors.b);
    module.norm_delta = norm_of_delta(factors);
    if (record.fisher) {
      const auto end = fisher + factors.out * factors.in;
      module.fisher_mass = std::accumulate(fisher, end, 0.0);
      fisher = end;
    }
    statistics.push_back(std::move(module));
  }
  return statistics;
}

}  // namespace palimpsest
