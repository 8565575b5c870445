#include "versions.h"

#include <array>
#include <charconv>

#include "palimpsest/core/text.h"
#include "palimpsest/core/version.h"

namespace palimpsest {
namespace {

// Major and minor.
std::array<int, 2> parse_numbers(std::string_view version) {
  std::array<int, 2> numbers = {0, 0};
  const char* const end = version.data() + version.size();
  const auto major = std::from_chars(version.data(), end, numbers[0]);
  if (major.ptr < end) std::from_chars(major.ptr + 1, end, numbers[1]);
  return numbers;
}

}  // namespace

bool is_version_before(std::string_view version, std::string_view other) {
  return parse_numbers(version) < parse_numbers(other);
}

bool is_later_minor_version(std::string_view version) {
  return major_version(version) == major_version(kFormatVersion) &&
         is_version_before(kFormatVersion, version);
}

std::string readable_versions() {
  return concat("version 1.x.y, 2.x.y or 3.x.y, which ", writer(),
                " reads; a newer one needs a program as new as the one that wrote the file");
}

}  // namespace palimpsest
