#pragma once
// Counts of things that are dealt.
#include <cstdint>

namespace palimpsest {

inline double number(std::int64_t count) { return static_cast<double>(count); }

// What the busiest of `parts` has of `count`.
inline std::int64_t rounded_up(std::int64_t count, std::int64_t parts) {
  return (count + parts - 1) / parts;
}

}  // namespace palimpsest
