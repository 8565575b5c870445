#include <algorithm>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/records.h"
#include "palimpsest/remerge/run_merge.h"
#include "recorded_run.h"

namespace palimpsest {
namespace {

double inner_product(const LoraFactors& a, const LoraFactors& b) {
  if (a.out != b.out || a.in != b.in) {
    throw Error(concat("task vectors of ", a.module, ": one is ", a.out, " x ", a.in,
                       ", the other ", b.out, " x ", b.in));
  }
  const auto in = static_cast<std::size_t>(a.in), out = static_cast<std::size_t>(a.out);
  const auto rank_a = static_cast<std::size_t>(a.rank), rank_b = static_cast<std::size_t>(b.rank);
  std::vector<double> columns(rank_a * rank_b);  // B_a' B_b
  for (std::size_t row = 0; row < out; ++row) {
    for (std::size_t k = 0; k < rank_a; ++k) {
      const double factor = a.b[row * rank_a + k];
      for (std::size_t l = 0; l < rank_b; ++l) {
        columns[k * rank_b + l] += factor * b.b[row * rank_b + l];
      }
    }
  }
  double trace = 0;
  for (std::size_t k = 0; k < rank_a; ++k) {
    for (std::size_t l = 0; l < rank_b; ++l) {
      double rows = 0;  // A_a A_b'
      for (std::size_t column = 0; column < in; ++column) {
        rows += static_cast<double>(a.a[k * in + column]) * b.a[l * in + column];
      }
      trace += columns[k * rank_b + l] * rows;
    }
  }
  return a.scale * b.scale * trace;
}

}  // namespace

double inner_product(const std::vector<LoraFactors>& a, const std::vector<LoraFactors>& b) {
  double sum = 0;
  for (const LoraFactors& module : a) {
    const auto other = std::ranges::find(b, module.module, &LoraFactors::module);
    if (other != b.end()) sum += inner_product(module, *other);
  }
  return sum;
}

Cosines task_vector_cosines(const std::filesystem::path& path, int threads) {
  const RecordedRun run = open_recorded_run(path);
  const std::size_t count = run.tasks.size();
  Cosines cosines{.norms = std::vector<double>(count),
                  .cosine = std::vector(count, std::vector<double>(count))};
  std::vector<std::vector<LoraFactors>> lora;
  for (std::size_t t = 0; t < count; ++t) {
    cosines.task_names.push_back(run.tasks[t].record.name);
    lora.push_back(read_task_parts(run.folder.task_file(static_cast<std::int64_t>(t)), {}).lora);
  }
  for_each_index(count, threads, [&](std::size_t t) {
    for (std::size_t other = 0; other <= t; ++other) {
      cosines.cosine[t][other] = inner_product(lora[t], lora[other]);
    }
    cosines.norms[t] = std::sqrt(std::max(0.0, cosines.cosine[t][t]));
  });
  for (std::size_t t = 0; t < count; ++t) {
    for (std::size_t other = 0; other <= t; ++other) {
      const double norms = cosines.norms[t] * cosines.norms[other];
      double& cosine = cosines.cosine[t][other];
      cosine = norms > 0 ? (t == other ? 1 : cosine / norms) : 0;
      cosines.cosine[other][t] = cosine;
    }
  }
  return cosines;
}

}  // namespace palimpsest
