// From text to a checked value and back, one overload for each type that a setting can have.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "palimpsest/config/key_table.h"
#include "palimpsest/core/cfg_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

template <typename Number>
std::string number_text(Number value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

std::string join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) joined += (joined.empty() ? "" : ",") + part;
  return joined;
}

std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(std::int64_t value) { return number_text(value); }
std::string text_of(std::uint64_t value) { return number_text(value); }
std::string text_of(double value) { return number_text(value); }
std::string text_of(const std::string& value) { return value; }
std::string text_of(const std::vector<std::string>& value) { return join(value); }
std::string text_of(const std::vector<double>& value) {
  std::vector<std::string> parts;
  for (const double number : value) parts.push_back(number_text(number));
  return join(parts);
}

bool has_range(const Key& key) { return key.minimum < key.maximum; }

bool in_range(const Key& key, double value) {
  if (!has_range(key)) return true;
  return (key.above_minimum ? value > key.minimum : value >= key.minimum) && value <= key.maximum;
}

std::string range_text(const Key& key) {
  if (!has_range(key)) return "";
  const std::string low = number_text(key.minimum);
  const std::string high = number_text(key.maximum);
  if (std::isinf(key.maximum)) return key.above_minimum ? " above " + low : ", " + low + " or more";
  return key.above_minimum ? " above " + low + ", at most " + high : " from " + low + " to " + high;
}

[[noreturn]] void refuse(const Key& key, std::string_view text) {
  throw UsageError(concat(key.name, " = '", text, "' is not possible: it takes ", allowed(key)));
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

template <typename Number>
void read_number(const Key& key, std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) refuse(key, text);
  const double number = static_cast<double>(value);
  if (!std::isfinite(number) || !in_range(key, number)) refuse(key, text);
  if (number == 0) value = 0;  // not -0
}

void read(const Key& key, std::string_view text, bool& value) {
  if (text != "true" && text != "false") refuse(key, text);
  value = text == "true";
}

void read(const Key& key, std::string_view text, std::int64_t& value) {
  read_number(key, text, value);
}

void read(const Key& key, std::string_view text, std::uint64_t& value) {
  read_number(key, text, value);
}

void read(const Key& key, std::string_view text, double& value) { read_number(key, text, value); }

void read(const Key& key, std::string_view text, std::string& value) {
  try {
    // What a .cfg file cannot hold would be lost by --print-config.
    if (text != trimmed(text)) throw UsageError("a value has no space at its ends");
    cfg_value(std::string(text));
    value = key.read != nullptr ? key.read(text) : std::string(text);
  } catch (const UsageError& error) {
    throw UsageError(concat(key.name, " = '", text, "' is not possible: ", error.what()));
  }
  if (key.read != nullptr) return;
  if (key.choices.empty()) return;
  for (const std::string_view choice : key.choices) {
    if (text == choice) return;
  }
  if (!has_range(key)) refuse(key, text);
  std::int64_t number = 0;
  read_number(key, text, number);
  value = number_text(number);
}

std::vector<std::string_view> split(const Key& key, std::string_view text) {
  std::vector<std::string_view> parts;
  if (trimmed(text).empty()) return parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string_view part = trimmed(text.substr(start, end - start));
    if (part.empty()) refuse(key, text);
    parts.push_back(part);
    start = end + 1;
  }
  return parts;
}

void read(const Key& key, std::string_view text, std::vector<double>& value) {
  value.clear();
  for (const std::string_view part : split(key, text)) {
    double number = 0;
    read_number(key, part, number);
    if (!value.empty() && number <= value.back()) refuse(key, text);
    value.push_back(number);
  }
}

void read(const Key& key, std::string_view text, std::vector<std::string>& value) {
  value.clear();
  std::set<std::string_view> seen;
  for (const std::string_view part : split(key, text)) {
    if (!seen.insert(part).second) refuse(key, text);
    read(key, part, value.emplace_back());
  }
  if (value.empty()) refuse(key, text);
}

std::string allowed_as(const Key&, const bool&) { return "true or false"; }
std::string allowed_as(const Key& key, const std::int64_t&) {
  return "a whole number" + range_text(key);
}
std::string allowed_as(const Key&, const std::uint64_t&) { return "a whole number, 0 or more"; }
std::string allowed_as(const Key& key, const double&) { return "a number" + range_text(key); }
std::string allowed_as(const Key& key, const std::vector<double>&) {
  return "rising, comma-separated numbers" + range_text(key);
}
std::string allowed_as(const Key&, const std::vector<std::string>&) {
  return "different names, comma-separated, at least one";
}
std::string allowed_as(const Key& key, const std::string&) {
  if (key.read != nullptr) return std::string(key.takes);
  if (key.choices.empty()) return "text";
  std::string words;
  for (std::size_t i = 0; i < key.choices.size(); ++i) {
    const bool last = i + 1 == key.choices.size();
    words.append(i == 0 ? "" : (last ? " or " : ", ")).append(key.choices[i]);
  }
  return has_range(key) ? words + ", or a whole number" + range_text(key) : words;
}

}  // namespace

std::string value_text(const RunConfig& config, const Key& key) {
  return std::visit([&](auto member) { return text_of(config.*member); }, key.member);
}

std::string allowed(const Key& key) {
  const RunConfig types;
  return std::visit([&](auto member) { return allowed_as(key, types.*member); }, key.member);
}

void set_value(RunConfig& config, const Key& key, std::string_view text) {
  std::visit([&](auto member) { read(key, text, config.*member); }, key.member);
}

}  // namespace palimpsest
