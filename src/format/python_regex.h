#pragma once
// Regular expressions as Python writes them, as far as std::regex reads them in the same way.
#include <regex>
#include <string>

namespace palimpsest {

// Throws std::invalid_argument, with the reason, for what std::regex doesn't have or reads
// otherwise: named groups, look-behind, flags, classes such as \A and \Z, "[]".
std::regex python_regex(const std::string& pattern);

}  // namespace palimpsest
