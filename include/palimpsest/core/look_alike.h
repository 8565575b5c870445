#pragma once
// Names that look the same and aren't: blanks at the ends, one letter in several codings.
#include <string>
#include <string_view>

namespace palimpsest {

// The name as it looks: without blanks at its ends and characters of no width, and with Latin
// letters (to U+017F) taken apart into letter and accent, as Unicode's NFD has them.
std::string as_it_looks(std::string_view name);

// Bytes outside of printable ASCII as \xC3.
std::string with_escapes(std::string_view name);

}  // namespace palimpsest
