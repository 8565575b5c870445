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

// The first of the candidates that may be `name` in Unicode's other form, with accents as
// characters of their own (NFD) or not (NFC): beside letters with accents the two have the same
// ones. Else "".
std::string same_but_for_accents(std::string_view name,
                                 std::span<const std::string_view> candidates);

// "'name'", and its bytes where it has others than printable ASCII: "'\u00fc' (bytes \xc3\xbc)".
std::string with_bytes(std::string_view name);

// "did you mean 'NEAREST'?", or `otherwise` where none of the candidates is near.
std::string name_hint(std::string_view name, std::span<const std::string_view> candidates,
                      std::string_view otherwise);

}  // namespace palimpsest
