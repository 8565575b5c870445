#pragma once
// How much of a reference a text has, in its order.
#include <cstdint>
#include <span>

namespace palimpsest {

// ROUGE-L (Lin, 2004) over tokens: the harmonic mean of the shares that their longest common
// subsequence has of the reference and of the text. 0 .. 1; 1 where both are empty.
double rouge_l(std::span<const std::int64_t> reference, std::span<const std::int64_t> text);

}  // namespace palimpsest
