#include "statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "record_parts.h"

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

// The number of a module that a dataset of /stats holds.
struct Column {
  const char* path;
  double ModuleStatistics::*member;
};

constexpr Column kColumns[] = {{"/stats/scale", &ModuleStatistics::scale},
                               {"/stats/norm_a", &ModuleStatistics::norm_a},
                               {"/stats/norm_b", &ModuleStatistics::norm_b},
                               {"/stats/norm_delta", &ModuleStatistics::norm_delta},
                               {"/stats/fisher_mass", &ModuleStatistics::fisher_mass}};

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

void write_statistics(H5Writer& file, const TaskRecord& record) {
  // The writer refuses numbers that are not finite, so a record that exists is finite.
  file.number<std::uint8_t>("/stats@finite", 1);
  const std::vector<ModuleStatistics> statistics = module_statistics(record);
  if (statistics.empty()) return;
  const auto modules = static_cast<std::int64_t>(statistics.size());
  std::vector<std::string> names;
  std::vector<std::int64_t> shapes;
  for (const ModuleStatistics& module : statistics) {
    names.push_back(module.module);
    shapes.insert(shapes.end(), {module.out, module.in, module.rank});
  }
  file.texts("/stats/modules", names);
  file.numbers<std::int64_t>("/stats/shape", {modules, 3}, shapes);
  for (const Column& column : kColumns) {
    std::vector<double> values;
    for (const ModuleStatistics& module : statistics) values.push_back(module.*column.member);
    file.numbers<double>(column.path, {modules}, values);
  }
}

std::vector<ModuleStatistics> read_statistics(const H5File& file) {
  if (!file.has("/stats/modules")) return {};
  const std::vector<std::string> names = file.texts("/stats/modules");
  const auto modules = static_cast<std::int64_t>(names.size());
  const auto shapes = file.numbers<std::int64_t>("/stats/shape", {modules, 3});
  std::vector<ModuleStatistics> statistics(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    statistics[i].module = names[i];
    statistics[i].out = shapes[3 * i];
    statistics[i].in = shapes[3 * i + 1];
    statistics[i].rank = shapes[3 * i + 2];
  }
  for (const Column& column : kColumns) {
    const auto values = file.numbers<double>(column.path, {modules});
    for (std::size_t i = 0; i < names.size(); ++i) statistics[i].*column.member = values[i];
  }
  return statistics;
}

}  // namespace palimpsest
