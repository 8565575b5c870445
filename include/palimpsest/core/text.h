#pragma once
// Texts out of values: messages, lists, and numbers and cells as programs read them again.
#include <charconv>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace palimpsest {

// concat("rank ", 3, " of ", 4) is "rank 3 of 4".
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// join(names) is "admin, net"; `text` makes a text of each element.
template <typename Range, typename Text = std::identity>
std::string join(const Range& range, std::string_view between = ", ", const Text& text = {}) {
  std::ostringstream out;
  bool is_first = true;
  for (const auto& element : range) {
    if (!is_first) out << between;
    is_first = false;
    out << std::invoke(text, element);
  }
  return out.str();
}

// in_words(names, "or") is "global, module or direction".
template <typename Range, typename Text = std::identity>
std::string in_words(const Range& range, std::string_view last, const Text& text = {}) {
  std::ostringstream out;
  std::size_t i = 0;
  for (const auto& element : range) {
    if (i > 0) out << (i + 1 == std::size(range) ? concat(" ", last, " ") : ", ");
    out << std::invoke(text, element);
    ++i;
  }
  return out.str();
}

// split("a,,b", ',') is "a", "" and "b": the parts between the separators, one where there is none.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size(); begin += parts.back().size() + 1)
    parts.push_back(text.substr(begin, text.find(separator, begin) - begin));
  return parts;
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

// The number that all of a text is.
template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// A cell of comma-separated values (RFC 4180), quoted where it has to be.
inline std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char character : text) quoted += character == '"' ? "\"\"" : std::string(1, character);
  return quoted + "\"";
}

}  // namespace palimpsest
