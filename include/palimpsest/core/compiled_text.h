#pragma once
// A file of the repository that is compiled in: palimpsest_texts() in cmake/PalimpsestBuild.cmake.
#include <string_view>
#include <vector>

namespace palimpsest {

struct CompiledText {
  std::string_view name;  // of the file, without its folder and ending
  std::string_view text;
};

}  // namespace palimpsest
