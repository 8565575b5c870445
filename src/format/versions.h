#pragma once
// What this release writes into the head of its files, and which files it reads.
#include <cstdlib>
#include <string>
#include <string_view>

namespace palimpsest {

inline constexpr std::string_view kFormatVersion = "2.0.0";

// Minor versions only add, and version 2 differs from 1 in states alone, which are read of both.
inline bool is_readable_version(std::string_view version) {
  return version.starts_with("1.") || version.starts_with("2.");
}

// For a message about a version that isn't: what was expected, and what to do.
std::string readable_versions();

inline std::string_view major_version(std::string_view version) {
  return version.substr(0, version.find('.'));
}

// Whether a readable version may have objects that this program does not know.
inline bool is_later_minor_version(std::string_view version) {
  if (major_version(version) != major_version(kFormatVersion)) return false;
  const auto minor = [](std::string_view text) {
    text.remove_prefix(text.find('.') + 1);
    return std::atoi(std::string(text).c_str());
  };
  return minor(version) > minor(kFormatVersion);
}

}  // namespace palimpsest
