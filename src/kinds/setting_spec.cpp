#include "palimpsest/kinds/setting_spec.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "palimpsest/core/cfg_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {
namespace {

bool is_choice(const SettingSpec& spec, std::string_view word) {
  return std::ranges::find(spec.choices, word) != spec.choices.end();
}

bool is_in_range(const SettingSpec& spec, double number) {
  const bool low = spec.above_minimum ? number > spec.minimum : number >= spec.minimum;
  const bool high = spec.below_maximum ? number < spec.maximum : number <= spec.maximum;
  return low && high;
}

std::string range_text(const SettingSpec& spec) {
  const std::string low = shortest(spec.minimum), high = shortest(spec.maximum);
  if (std::isinf(spec.maximum))
    return spec.above_minimum ? " above " + low : ", " + low + " or more";
  return concat(spec.above_minimum ? " above " + low + "," : " from " + low,
                spec.below_maximum   ? " to below "
                : spec.above_minimum ? " at most "
                                     : " to ",
                high);
}

template <typename Number>
std::optional<SettingValue> read_number(const SettingSpec& spec, std::string_view text) {
  const std::optional<Number> number = number_in<Number>(text);
  const double value = number ? static_cast<double>(*number) : std::nan("");
  if (!std::isfinite(value) || !is_in_range(spec, value)) return std::nullopt;
  return *number == 0 ? Number{0} : *number;  // not -0
}

// 1e3 is one, too.
std::optional<SettingValue> read_whole(const SettingSpec& spec, std::string_view text) {
  constexpr double kExact = 1e15;
  if (const auto whole = read_number<std::uint64_t>(spec, text)) return whole;
  const auto number = read_number<double>(spec, text);
  const double value = number ? std::get<double>(*number) : -1;
  if (value != std::floor(value) || value < 0 || value > kExact || text.front() == '-')
    return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

// nullopt where `read` has none for one of the parts between the +.
template <typename Value, typename Read>
std::optional<SettingValue> read_list(std::string_view text, const Read& read) {
  std::vector<Value> values;
  for (const std::string_view part : split(text, '+'))
    if (!read(part, values)) return std::nullopt;
  return values;
}

std::optional<SettingValue> read_words(const SettingSpec& spec, std::string_view text) {
  return read_list<std::string>(text, [&](std::string_view part, std::vector<std::string>& words) {
    const std::string word(part);
    if (word.empty() || std::ranges::find(words, word) != words.end()) return false;
    if (!spec.choices.empty() && !is_choice(spec, word)) return false;
    words.push_back(word);
    return true;
  });
}

std::optional<SettingValue> read_numbers(const SettingSpec& spec, std::string_view text) {
  if (text.empty()) return std::vector<double>();
  return read_list<double>(text, [&](std::string_view part, std::vector<double>& numbers) {
    const auto number = read_number<double>(spec, part);
    if (!number || (!numbers.empty() && std::get<double>(*number) <= numbers.back())) return false;
    numbers.push_back(std::get<double>(*number));
    return true;
  });
}

// Throws UsageError for what --print-config could not write down.
void check_written(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  if (!text.empty() &&
      (kBlanks.find(text.front()) != kBlanks.npos || kBlanks.find(text.back()) != kBlanks.npos))
    throw UsageError("a value has no space at its ends");
  cfg_value(std::string(text));
}

std::optional<SettingValue> read(const SettingSpec& spec, std::string_view text) {
  switch (spec.type) {
    case Type::kNumber:
      if (is_choice(spec, text)) return std::string(text);
      return read_number<double>(spec, text);
    case Type::kWhole:
      if (is_choice(spec, text)) return std::string(text);
      return read_whole(spec, text);
    case Type::kSwitch:
      if (text != "true" && text != "false") return std::nullopt;
      return text == "true";
    case Type::kWord:
      if (!is_choice(spec, text)) return std::nullopt;
      return std::string(text);
    case Type::kWords:
      return read_words(spec, text);
    case Type::kNumbers:
      return read_numbers(spec, text);
    case Type::kText:
      check_written(text);
      return std::string(text);
    case Type::kKind:
      check_written(text);
      if (spec.check) spec.check(text);
      return std::string(text);
  }
  throw Error("a setting of an unknown type");
}

}  // namespace

std::string value_text(const SettingValue& value) {
  struct Text {
    std::string operator()(double number) const { return shortest(number); }
    std::string operator()(std::uint64_t number) const { return shortest(number); }
    std::string operator()(bool is_on) const { return is_on ? "true" : "false"; }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const std::vector<std::string>& words) const { return join(words, "+"); }
    std::string operator()(const std::vector<double>& numbers) const {
      return join(numbers, "+", shortest<double>);
    }
  };
  return std::visit(Text(), value);
}

std::string allowed(const SettingSpec& spec) {
  const std::string words = in_words(spec.choices, "or");
  switch (spec.type) {
    case Type::kNumber:
    case Type::kWhole:
      return concat(words, words.empty() ? "" : ", or ",
                    spec.type == Type::kWhole ? "a whole number" : "a number", range_text(spec));
    case Type::kSwitch:
      return "true or false";
    case Type::kWord:
      return words;
    case Type::kWords:
      return concat("different words", words.empty() ? "" : concat(" of ", words, ","),
                    " joined by +");
    case Type::kNumbers:
      return concat("rising numbers", range_text(spec), ", joined by +");
    case Type::kText:
      return "text";
    case Type::kKind: {
      const std::string_view noun = spec.kinds->noun;
      std::string word;  // "RULE" of "merge rule"
      for (const char letter : noun.substr(noun.rfind(' ') + 1))
        word += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
      return word + (spec.takes_several ? "[:key=value,...],..." : "[:key=value,...]");
    }
  }
  throw Error("a setting of an unknown type");
}

namespace {

// A kind says itself what is wrong with its name and keys.
std::string shortest_text(const SettingSpec& spec, std::string_view given) {
  if (spec.kinds == nullptr) return std::string(given);
  if (!spec.takes_several) return parse_kind(*spec.kinds, given).text();
  return join(parse_kinds(*spec.kinds, given), ",", &KindSettings::text);
}

}  // namespace

SettingValue read_value(const SettingSpec& spec, std::string_view given) {
  const std::string text = shortest_text(spec, given);
  const auto refuse = [&](std::string_view reason) {
    return UsageError(concat(spec.name, " = '", text, "' is not possible: ", reason));
  };
  std::optional<SettingValue> value;
  try {
    value = read(spec, text);
  } catch (const UsageError& error) {
    throw refuse(error.what());
  }
  if (!value) throw refuse("it takes " + allowed(spec));
  return *value;
}

}  // namespace palimpsest
