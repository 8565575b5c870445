#pragma once
// Names in a message.
#include <cstddef>
#include <span>
#include <string>

namespace palimpsest {

// "a, b and 7 more": the first names, at most so many, and how many there are besides.
std::string name_list(std::span<const std::string> names, std::size_t most);

}  // namespace palimpsest
