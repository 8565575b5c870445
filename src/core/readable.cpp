#include "palimpsest/core/readable.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace palimpsest {
namespace {

std::string print(const char* format, int decimals, double value) {
  const int size = std::snprintf(nullptr, 0, format, decimals, value);
  std::string text(static_cast<std::size_t>(size), '\0');
  std::snprintf(text.data(), text.size() + 1, format, decimals, value);
  return text;
}

// Characters of UTF-8: all bytes but continuation bytes.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }));
}

}  // namespace

std::string fixed(double value, int decimals) {
  std::string text = print("%.*f", decimals, value);
  const bool minus_zero = text.find_first_not_of("-0.") == std::string::npos && text[0] == '-';
  return minus_zero ? text.substr(1) : text;
}

std::string scientific(double value, int decimals) { return print("%.*e", decimals, value); }

std::string percent(double share, int decimals) { return fixed(100 * share, decimals); }

std::string percent(double share) { return percent(share, 1); }

std::string fixed(const std::optional<double>& value, int decimals) {
  return value ? fixed(*value, decimals) : "-";
}

std::string percent(const std::optional<double>& share, int decimals) {
  return share ? percent(*share, decimals) : "-";
}

std::string scientific(const std::optional<double>& value, int decimals) {
  return value ? scientific(*value, decimals) : "-";
}

std::string before_and_after(const std::optional<double>& before,
                             const std::optional<double>& after) {
  return before_and_after(before ? std::optional(percent(*before)) : std::nullopt,
                          std::optional(percent(after)));
}

std::string before_and_after(const std::optional<std::string>& before,
                             const std::optional<std::string>& after) {
  return (before ? *before + " -> " : "") + after.value_or("-");
}

std::string grouped(std::int64_t value) {
  std::string text = std::to_string(value);
  const std::ptrdiff_t first_digit = value < 0 ? 1 : 0;
  for (auto at = std::ssize(text) - 3; at > first_digit; at -= 3) text.insert(at, ",");
  return text;
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-:--";
  constexpr double kDay = 86'400, kLongest = 3.6e9;
  const double days = std::min(seconds, kLongest) / kDay;
  if (days >= 2) return fixed(days, days < 9.95 ? 1 : 0) + " days";
  const auto total = static_cast<std::int64_t>(std::lround(seconds));
  const auto two_digits = [](std::int64_t value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
  };
  const std::int64_t hours = total / 3600, minutes = total / 60 % 60;
  return (hours > 0 ? std::to_string(hours) + ":" + two_digits(minutes) : std::to_string(minutes)) +
         ":" + two_digits(total % 60);
}

std::string byte_count(double bytes, int decimals) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1023.95 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return fixed(bytes, unit == 0 ? 0 : decimals) + " " + kUnits[unit];
}

std::string short_hash(std::string_view hash) { return std::string(hash.substr(0, 12)); }

std::string wrap(std::string_view text, int width, int indent, int first) {
  std::string wrapped;
  int column = first;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    const int length = static_cast<int>(columns(word));
    if (wrapped.empty()) {
      column += length;
    } else if (column + 1 + length <= width) {
      wrapped += ' ';
      column += 1 + length;
    } else {
      wrapped += "\n" + std::string(static_cast<std::size_t>(indent), ' ');
      column = indent + length;
    }
    wrapped += word;
  }
  return wrapped;
}

std::string text_table(const Rows& rows, std::string_view alignment, int gap) {
  std::vector<std::size_t> widths(alignment.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths.at(i) = std::max(widths[i], columns(row[i]));
  }
  std::string table;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - columns(row[i]), ' ');
      if (i > 0) line += std::string(static_cast<std::size_t>(gap), ' ');
      line += alignment[i] == 'r' ? padding + row[i] : row[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    table += line + "\n";
  }
  return table;
}

}  // namespace palimpsest
