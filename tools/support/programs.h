#pragma once
// One program of the project in another's place.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

// Of the programs beside this one: where they are installed, or in the build tree's folders. Throws
// Error where there is none. `verb`: which verb of palimpsest needs it.
std::filesystem::path find_program(const std::string& program, std::string_view verb);

// This process becomes the program. words: its arguments, the first the name that it is shown by.
[[noreturn]] void become(const std::string& program, std::vector<std::string> words);

}  // namespace palimpsest
