#pragma once
// Joining values into a message.
#include <sstream>
#include <string>

namespace palimpsest {

// concat("rank ", 3, " of ", 4) is "rank 3 of 4".
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace palimpsest
