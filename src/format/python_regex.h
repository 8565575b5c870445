#pragma once
// Regular expressions as Python writes them, as far as std::regex reads them in the same way.
#include <string>

namespace palimpsest {

// Python's re.fullmatch. Throws std::invalid_argument, with the reason, for patterns with what
// std::regex doesn't have or reads otherwise: named groups, look-behind, flags, classes such as \A
// and \Z, "[]".
bool full_match(const std::string& pattern, const std::string& text);

}  // namespace palimpsest
