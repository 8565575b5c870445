#include "support/programs.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

std::filesystem::path find_program(const std::string& program, std::string_view verb) {
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  for (const auto& folder : {here, here.parent_path() / "tools", here.parent_path() / "src"}) {
    if (::access((folder / program).c_str(), X_OK) == 0) return folder / program;
  }
  throw Error(concat("palimpsest ", verb, ": expected the program ", program, " in ", here.string(),
                     ", found none: build or install it (docs/get-started.md)"));
}

void become(const std::string& program, std::vector<std::string> words) {
  std::vector<char*> values;
  for (std::string& word : words) values.push_back(word.data());
  values.push_back(nullptr);
  ::execv(program.c_str(), values.data());
  throw Error(concat("cannot start ", program, ": ", std::strerror(errno)));
}

}  // namespace palimpsest
