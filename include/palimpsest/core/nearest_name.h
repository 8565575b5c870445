#pragma once
// A hint for a name that isn't there.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace palimpsest {

// Levenshtein distance, in bytes.
std::size_t edit_distance(std::string_view from, std::string_view to);

// The first of the candidates with the smallest edit distance to `name`; "" when even that one is
// too far (more than a third of the name's length) to be the same name mistyped.
std::string nearest_name(std::string_view name, std::span<const std::string_view> candidates);

// "did you mean 'NEAREST'?", or `otherwise` where none of the candidates is near.
std::string name_hint(std::string_view name, std::span<const std::string_view> candidates,
                      std::string_view otherwise);

}  // namespace palimpsest
