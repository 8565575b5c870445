#include "palimpsest/core/nearest_name.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace palimpsest {
namespace {

// Levenshtein distance, one row at a time.
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

bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

// Whether a combining accent (U+0300 to U+036F: bytes CC 80 to CD AF) stands at a place.
bool has_accent_at(std::string_view name, std::size_t place) {
  if (place + 1 >= name.size()) return false;
  const auto first = static_cast<unsigned char>(name[place]);
  const auto second = static_cast<unsigned char>(name[place + 1]);
  return first == 0xCC || (first == 0xCD && second <= 0xAF);
}

// The name without letters that have accents, whether these are characters of their own or not.
std::string without_accented(std::string_view name) {
  std::string rest;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (is_ascii(name[i]) && !has_accent_at(name, i + 1)) rest += name[i];
  }
  return rest;
}

}  // namespace

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

std::string same_but_for_accents(std::string_view name,
                                 std::span<const std::string_view> candidates) {
  const std::string rest = without_accented(name);
  if (rest.empty() || rest.size() == name.size()) return "";
  for (const std::string_view candidate : candidates) {
    if (candidate.size() != name.size() && candidate.size() != rest.size() &&
        without_accented(candidate) == rest) {
      return std::string(candidate);
    }
  }
  return "";
}

std::string with_bytes(std::string_view name) {
  std::string escaped;
  for (const char byte : name) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto value = static_cast<unsigned char>(byte);
    if (value >= 0x20 && value < 0x7F) {
      escaped += byte;
    } else {
      escaped += {'\\', 'x', kDigits[value / 16], kDigits[value % 16]};
    }
  }
  const std::string quoted = "'" + std::string(name) + "'";
  return escaped == name ? quoted : quoted + " (bytes " + escaped + ")";
}

std::string name_hint(std::string_view name, std::span<const std::string_view> candidates,
                      std::string_view otherwise) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string(otherwise) : "did you mean '" + nearest + "'?";
}

}  // namespace palimpsest
