#pragma once
// Which palimpsest this is.
#include <string>
#include <string_view>

namespace palimpsest {

// "0.2.0", as CMakeLists.txt gives it to the project.
std::string_view version();

// The commit that was built, as `git describe --always --dirty` names it; "" where there was no
// git.
std::string_view source_revision();

// "palimpsest 0.2.0": what files have as their writer.
std::string writer();

}  // namespace palimpsest
