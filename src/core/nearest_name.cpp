#include "palimpsest/core/nearest_name.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace palimpsest {

// One row at a time.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string nearest_name(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view nearest;
  std::size_t too_far = (name.size() + 2) / 3 + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < too_far) {
      nearest = candidate;
      too_far = distance;
    }
  }
  return std::string(nearest);
}

std::string name_hint(std::string_view name, std::span<const std::string_view> candidates,
                      std::string_view otherwise) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string(otherwise) : "did you mean '" + nearest + "'?";
}

}  // namespace palimpsest
