#include "palimpsest/session/shards.h"

#include <algorithm>
#include <numeric>

namespace palimpsest {
namespace {

// The largest module first, each to the rank that has the fewest weights so far.
std::vector<int> balanced_owners(const AdaptedLayout& layout, int ranks) {
  const auto size = [&](std::size_t module) { return layout.modules()[module].size(); };
  std::vector<std::size_t> largest_first(layout.modules().size());
  std::iota(largest_first.begin(), largest_first.end(), std::size_t{0});
  std::ranges::stable_sort(largest_first, std::greater<>(), size);
  std::vector<std::int64_t> weights(static_cast<std::size_t>(ranks));
  std::vector<int> owners(largest_first.size());
  for (const std::size_t module : largest_first) {
    const auto least = std::ranges::min_element(weights);
    owners[module] = static_cast<int>(least - weights.begin());
    *least += size(module);
  }
  return owners;
}

}  // namespace

Shards::Shards(AdaptedLayout layout, bool split, int rank, int ranks)
    : all_(std::move(layout)), split_(split) {
  if (split_) owners_ = balanced_owners(all_, ranks);
  std::vector<AdaptedModule> own;
  for (std::size_t module = 0; module < all_.modules().size(); ++module) {
    const bool is_own = !split_ || owner(module) == rank;
    positions_.push_back(is_own ? std::optional(own.size()) : std::nullopt);
    if (is_own) own.push_back(all_.modules()[module]);
  }
  own_ = AdaptedLayout(std::move(own));
}

ModuleShare Shards::share(HostGroup& group) const {
  ModuleShare share;
  for (std::size_t module = 0; module < positions_.size(); ++module)
    if (positions_[module]) share.modules.push_back(module);
  share.gather = [&group, modules = share.modules,
                  count = positions_.size()](std::span<const double> own) {
    std::vector<double> all(count);  // a number of one rank, and zeros: exact sums
    for (std::size_t i = 0; i < own.size(); ++i) all[modules[i]] = own[i];
    group.sum(all, "sums over the modules of all ranks");
    return all;
  };
  return share;
}

}  // namespace palimpsest
