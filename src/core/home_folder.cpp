#include "palimpsest/core/home_folder.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::string own_folder() {
  const char* const home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return home;
  const passwd* const entry = ::getpwuid(::getuid());
  return entry == nullptr ? "" : entry->pw_dir;
}

std::string home_of(const std::string& user) {
  const passwd* const entry = ::getpwnam(user.c_str());
  return entry == nullptr ? "" : entry->pw_dir;
}

}  // namespace

std::string with_home_folder(std::string_view path) {
  if (!path.starts_with('~')) return std::string(path);
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string user(path.substr(1, end - 1));
  const std::string folder = user.empty() ? own_folder() : home_of(user);
  if (!folder.empty()) return folder + std::string(path.substr(end));
  throw UsageError(concat("'", path, "': ~", user,
                          " is no user with a home folder on this machine; a name ",
                          "that begins with ~ is written ./~"));
}

std::vector<std::string> with_home_folders(std::vector<std::string> arguments) {
  for (std::string& word : arguments) {
    const std::size_t value = word.starts_with("--") ? word.find("=~") : std::string::npos;
    if (value != std::string::npos && value == word.find('=')) {
      word = word.substr(0, value + 1) + with_home_folder(word.substr(value + 1));
    } else {
      word = with_home_folder(word);
    }
  }
  return arguments;
}

}  // namespace palimpsest
