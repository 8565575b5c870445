#pragma once
// The parts of the table of settings, in its order.
#include <limits>
#include <vector>

#include "palimpsest/config/key_table.h"

namespace palimpsest {

inline constexpr double kUnbounded = std::numeric_limits<double>::infinity();
inline constexpr double kMost =
    1e9;  // of what is counted: a product of two fits 64 bits, one of three doesn't

std::vector<Key> keys_of_input();
std::vector<Key> keys_of_training();
std::vector<Key> keys_of_running();

}  // namespace palimpsest
