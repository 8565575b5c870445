#pragma once
// Names in messages: lists of them, the nearest to one that isn't known, and names that look the
// same but differ in their bytes.
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

// "a, b and 7 more": the first names, at most so many, and how many there are besides.
std::string name_list(std::span<const std::string> names, std::size_t most);

// The name as it looks: without blanks at its ends and characters of no width, and with Latin
// letters (to U+017F) taken apart into letter and accent, as Unicode's NFD has them.
std::string as_it_looks(std::string_view name);

// Bytes outside of printable ASCII as \xC3.
std::string with_escapes(std::string_view name);

}  // namespace palimpsest
