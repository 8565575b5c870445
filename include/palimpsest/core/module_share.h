#pragma once
// Sums over all adapted weights, formed module by module, so that ranks which keep different
// modules get the same bits as one that has them all.
#include <cstddef>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/core/parallel.h"

namespace palimpsest {

// The modules of a model that a rank keeps, where other ranks keep the others (--shard-memory).
struct ModuleShare {
  std::vector<std::size_t> modules;  // their positions in the layout of all, in order
  // Collective: a number of every module, in layout order, from those of the rank's own.
  std::function<std::vector<double>(std::span<const double> own)> gather;
};

// The numbers of the share's modules, of those of all.
inline std::vector<double> of_share(const ModuleShare* share, std::span<const double> of_all) {
  if (share == nullptr) return {of_all.begin(), of_all.end()};
  std::vector<double> own;
  for (const std::size_t module : share->modules) own.push_back(of_all[module]);
  return own;
}

// number(first, size) of every module, for the elements first .. first + size - 1 of the flat
// vector; in the order of the whole layout. layout: of this rank's modules. share: null where they
// are all.
template <typename Number>
std::vector<double> by_module(const AdaptedLayout& layout, const ModuleShare* share, int threads,
                              const Number& number) {
  std::vector<double> own(layout.modules().size());
  for_each_index(own.size(), threads, [&](std::size_t m) {
    const AdaptedModule& module = layout.modules()[m];
    own[m] =
        number(static_cast<std::size_t>(module.offset), static_cast<std::size_t>(module.size()));
  });
  return share == nullptr ? own : share->gather(own);
}

// Their sum, added in that order.
template <typename Number>
double sum_by_module(const AdaptedLayout& layout, const ModuleShare* share, int threads,
                     const Number& number) {
  const std::vector<double> numbers = by_module(layout, share, threads, number);
  return std::accumulate(numbers.begin(), numbers.end(), 0.0);
}

}  // namespace palimpsest
