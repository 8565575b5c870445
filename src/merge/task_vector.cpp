#include "palimpsest/merge/task_vector.h"

#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

void task_vector(std::span<const float> a, std::span<const float> b, std::int64_t rank,
                 std::int64_t out, std::int64_t in, double scale, std::span<float> delta) {
  if (std::ssize(a) != rank * in || std::ssize(b) != out * rank || std::ssize(delta) != out * in) {
    throw Error(concat("task_vector: A has ", a.size(), " values for [", rank, ", ", in, "], B ",
                       b.size(), " for [", out, ", ", rank, "], Delta ", delta.size(), " for [",
                       out, ", ", in, "]"));
  }
  std::vector<double> row(static_cast<std::size_t>(in));
  for (std::int64_t o = 0; o < out; ++o) {
    std::fill(row.begin(), row.end(), 0.0);
    for (std::int64_t k = 0; k < rank; ++k) {
      const double factor = b[static_cast<std::size_t>(o * rank + k)];
      const std::span<const float> a_row = a.subspan(static_cast<std::size_t>(k * in), row.size());
      for (std::size_t i = 0; i < row.size(); ++i) row[i] += factor * a_row[i];
    }
    const std::span<float> delta_row = delta.subspan(static_cast<std::size_t>(o * in), row.size());
    for (std::size_t i = 0; i < row.size(); ++i) delta_row[i] = static_cast<float>(scale * row[i]);
  }
}

void add_scaled(std::span<float> weights, double alpha, std::span<const float> direction) {
  if (weights.size() != direction.size()) {
    throw Error(concat("add_scaled: ", weights.size(), " weights, but ", direction.size(),
                       " in the direction"));
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = static_cast<float>(weights[i] + alpha * direction[i]);
  }
}

}  // namespace palimpsest
