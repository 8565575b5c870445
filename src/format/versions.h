#pragma once
// What this release writes into the head of its files, and which files it reads.
#include <cstdlib>
#include <string>
#include <string_view>

namespace palimpsest {

inline constexpr std::string_view kFormatVersion = "1.2.0";

// Minor versions only add: a file of any version 1.x.y is readable.
inline bool is_readable_version(std::string_view version) { return version.starts_with("1."); }

// For a message about a version that isn't: what was expected, and what to do.
std::string readable_versions();

// Whether a readable version may have objects that this program does not know.
inline bool is_later_minor_version(std::string_view version) {
  const auto minor = [](std::string_view text) {
    text.remove_prefix(text.find('.') + 1);
    return std::atoi(std::string(text).c_str());
  };
  return minor(version) > minor(kFormatVersion);
}

}  // namespace palimpsest
