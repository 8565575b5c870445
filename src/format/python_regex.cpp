#include "python_regex.h"

#include <cctype>
#include <regex>
#include <stdexcept>
#include <string_view>

#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

void check(const std::string& pattern) {
  const auto refuse = [](std::string_view found) {
    throw std::invalid_argument(concat("found ", found, ", which only Python reads"));
  };
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view rest = std::string_view(pattern).substr(i);
    if (rest[0] == '\\') {
      if (rest.size() > 1 && std::isalpha(static_cast<unsigned char>(rest[1])) != 0 &&
          std::string_view("dDsSwWbBtnrfv").find(rest[1]) == std::string_view::npos)
        refuse(rest.substr(0, 2));
      ++i;
    } else if (rest.starts_with("(?") && rest.size() > 2 &&
               std::string_view(":=!").find(rest[2]) == std::string_view::npos) {
      refuse(rest.substr(0, 3));
    } else if (rest.starts_with("[]") || rest.starts_with("[^]") || rest.starts_with("[[")) {
      refuse(rest.substr(0, 2));
    } else if (rest.size() > 1 && rest[1] == '+' &&
               std::string_view("*+?}").find(rest[0]) != std::string_view::npos) {
      refuse(rest.substr(0, 2));
    }
  }
}

}  // namespace

bool full_match(const std::string& pattern, const std::string& text) {
  check(pattern);
  try {
    return std::regex_match(text, std::regex(pattern));
  } catch (const std::regex_error& error) {
    throw std::invalid_argument(error.what());
  }
}

}  // namespace palimpsest
