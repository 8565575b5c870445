#pragma once
// Texts out of values: messages, lists, and numbers and cells as programs read them again.
#include <charconv>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>

namespace palimpsest {

// concat("rank ", 3, " of ", 4) is "rank 3 of 4".
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// joined(names) is "admin, net"; `text` makes a text of each element.
template <typename Range, typename Text = std::identity>
std::string joined(const Range& range, std::string_view between = ", ", const Text& text = {}) {
  std::ostringstream out;
  bool is_first = true;
  for (const auto& element : range) {
    if (!is_first) out << between;
    is_first = false;
    out << std::invoke(text, element);
  }
  return out.str();
}

// counted(1, "task") is "1 task", counted(3, "task") "3 tasks".
template <typename Count>
std::string counted(Count count, std::string_view what) {
  return concat(count, " ", what, count == 1 ? "" : "s");
}

// The fewest digits that read back as the same number.
template <typename Number>
std::string shortest(Number value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// A cell of comma-separated values (RFC 4180), quoted where it has to be.
inline std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char character : text) quoted += character == '"' ? "\"\"" : std::string(1, character);
  return quoted + "\"";
}

}  // namespace palimpsest
