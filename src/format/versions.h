#pragma once
// What this release writes into the head of its files, and which files it reads.
#include <string>
#include <string_view>

namespace palimpsest {

inline constexpr std::string_view kFormatVersion = "3.1.0";

// Minor versions only add, and major ones differ in states alone, which are read of all of them.
inline bool is_readable_version(std::string_view version) {
  return version.starts_with("1.") || version.starts_with("2.") || version.starts_with("3.");
}

// For a message about a version that isn't: what was expected, and what to do.
std::string readable_versions();

inline std::string_view major_version(std::string_view version) {
  return version.substr(0, version.find('.'));
}

// Of readable versions.
bool is_version_before(std::string_view version, std::string_view other);

// Whether a readable version may have objects that this program does not know.
bool is_later_minor_version(std::string_view version);

}  // namespace palimpsest
