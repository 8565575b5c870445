#pragma once
// Which rank keeps what is as large as the adapted weights: all of it, or with --shard-memory that
// of some modules, while the other ranks keep that of the others.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/core/module_share.h"

namespace palimpsest {

class Shards {
 public:
  // split: each module belongs to one rank, such that the ranks have about as many weights each.
  Shards(AdaptedLayout layout, bool split, int rank, int ranks);

  bool are_split() const { return split_; }
  const AdaptedLayout& all() const { return all_; }
  // The modules that this rank keeps, with their places in its flat vectors; all if it isn't split.
  const AdaptedLayout& own() const { return own_; }
  // Of a module, by its position in all(). Split only.
  int owner(std::size_t module) const { return owners_.at(module); }

  // The elements of a module of all() in a flat vector of own(); empty where another rank has them.
  template <typename T>
  std::span<T> part(std::span<T> flat, std::size_t module) const {
    const std::optional<std::size_t>& position = positions_.at(module);
    if (!position) return {};
    const AdaptedModule& own = own_.modules()[*position];
    return flat.subspan(static_cast<std::size_t>(own.offset), static_cast<std::size_t>(own.size()));
  }
  // Where it begins there. Of an own module.
  std::int64_t own_offset(std::size_t module) const {
    return own_.modules()[positions_.at(module).value()].offset;
  }

  // Of a merge over own(). The group outlives it.
  ModuleShare share(HostGroup& group) const;

 private:
  AdaptedLayout all_, own_;
  bool split_;
  std::vector<int> owners_;                            // by module of all()
  std::vector<std::optional<std::size_t>> positions_;  // by module of all(): in own()
};

}  // namespace palimpsest
