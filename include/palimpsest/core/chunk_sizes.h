#pragma once
// How much is computed at a time, where both the computation and a plan's counts need to know.
#include <cstdint>

namespace palimpsest {

// Logits over a vocabulary: so many numbers, or those of a single token.
constexpr std::int64_t logits_at_a_time(bool on_processor) {
  return std::int64_t{1} << (on_processor ? 24 : 27);
}

}  // namespace palimpsest
