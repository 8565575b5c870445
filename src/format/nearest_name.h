#pragma once
// A hint for a name that isn't there.
#include <span>
#include <string>
#include <string_view>

namespace palimpsest {

// The candidate with the smallest edit distance to `name`; "" without candidates.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

}  // namespace palimpsest
