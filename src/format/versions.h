#pragma once
// What this release writes into the head of its files, and which files it reads.
#include <string_view>

namespace palimpsest {

inline constexpr std::string_view kFormatVersion = "1.1.0";
inline constexpr std::string_view kWriter = "palimpsest 0.1.0";

// Minor versions only add: a file of any version 1.x.y is readable.
inline bool is_readable_version(std::string_view version) { return version.starts_with("1."); }

}  // namespace palimpsest
