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

bool is_choice(const SettingSpec& parameter, std::string_view word) {
  return std::ranges::find(parameter.choices, word) != parameter.choices.end();
}

bool is_in_range(const SettingSpec& parameter, double number) {
  const bool low =
      parameter.above_minimum ? number > parameter.minimum : number >= parameter.minimum;
  const bool high =
      parameter.below_maximum ? number < parameter.maximum : number <= parameter.maximum;
  return low && high;
}

std::string range_text(const SettingSpec& parameter) {
  const std::string low = shortest(parameter.minimum), high = shortest(parameter.maximum);
  if (std::isinf(parameter.maximum))
    return parameter.above_minimum ? " above " + low : ", " + low + " or more";
  return concat(parameter.above_minimum ? " above " + low + "," : " from " + low,
                parameter.below_maximum   ? " to below "
                : parameter.above_minimum ? " at most "
                                          : " to ",
                high);
}

template <typename Number>
std::optional<SettingValue> read_number(const SettingSpec& parameter, std::string_view text) {
  const std::optional<Number> number = number_in<Number>(text);
  const double value = number ? static_cast<double>(*number) : std::nan("");
  if (!std::isfinite(value) || !is_in_range(parameter, value)) return std::nullopt;
  return *number == 0 ? Number{0} : *number;  // not -0
}

// 1e3 is one, too.
std::optional<SettingValue> read_whole(const SettingSpec& parameter, std::string_view text) {
  constexpr double kExact = 1e15;
  if (const auto whole = read_number<std::uint64_t>(parameter, text)) return whole;
  const auto number = read_number<double>(parameter, text);
  const double value = number ? std::get<double>(*number) : -1;
  if (value != std::floor(value) || value < 0 || value > kExact || text.front() == '-')
    return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

// nullopt where `read` has none for one of the parts between the +.
template <typename Value, typename Read>
std::optional<SettingValue> read_list(std::string_view text, const Read& read) {
  std::vector<Value> values;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('+', start), text.size());
    if (!read(text.substr(start, end - start), values)) return std::nullopt;
    start = end + 1;
  }
  return values;
}

std::optional<SettingValue> read_words(const SettingSpec& parameter, std::string_view text) {
  return read_list<std::string>(text, [&](std::string_view part, std::vector<std::string>& words) {
    const std::string word(part);
    if (word.empty() || std::ranges::find(words, word) != words.end()) return false;
    if (!parameter.choices.empty() && !is_choice(parameter, word)) return false;
    words.push_back(word);
    return true;
  });
}

std::optional<SettingValue> read_numbers(const SettingSpec& parameter, std::string_view text) {
  if (text.empty()) return std::vector<double>();
  return read_list<double>(text, [&](std::string_view part, std::vector<double>& numbers) {
    const auto number = read_number<double>(parameter, part);
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

std::optional<SettingValue> read(const SettingSpec& parameter, std::string_view text) {
  switch (parameter.type) {
    case Type::kNumber:
      return read_number<double>(parameter, text);
    case Type::kWhole:
      if (is_choice(parameter, text)) return std::string(text);
      return read_whole(parameter, text);
    case Type::kSwitch:
      if (text != "true" && text != "false") return std::nullopt;
      return text == "true";
    case Type::kWord:
      if (!is_choice(parameter, text)) return std::nullopt;
      return std::string(text);
    case Type::kWords:
      return read_words(parameter, text);
    case Type::kNumbers:
      return read_numbers(parameter, text);
    case Type::kText:
      check_written(text);
      return std::string(text);
    case Type::kKind:
      check_written(text);
      if (parameter.check) parameter.check(text);
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

std::string allowed(const SettingSpec& parameter) {
  const std::string words = in_words(parameter.choices, "or");
  switch (parameter.type) {
    case Type::kNumber:
      return "a number" + range_text(parameter);
    case Type::kWhole:
      return concat(words, words.empty() ? "" : ", or ", "a whole number", range_text(parameter));
    case Type::kSwitch:
      return "true or false";
    case Type::kWord:
      return words;
    case Type::kWords:
      return concat("different words", words.empty() ? "" : concat(" of ", words, ","),
                    " joined by +");
    case Type::kNumbers:
      return concat("rising numbers", range_text(parameter), ", joined by +");
    case Type::kText:
      return "text";
    case Type::kKind: {
      const std::string_view noun = parameter.kinds->noun;
      std::string word;  // "RULE" of "merge rule"
      for (const char letter : noun.substr(noun.rfind(' ') + 1))
        word += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
      return word + "[:key=value,...]";
    }
  }
  throw Error("a setting of an unknown type");
}

SettingValue read_value(const SettingSpec& parameter, std::string_view given) {
  // A kind says itself what is wrong with its name and keys.
  const std::string text =
      parameter.kinds == nullptr ? std::string(given) : parse_kind(*parameter.kinds, given).text();
  const auto refuse = [&](std::string_view reason) {
    return UsageError(concat(parameter.name, " = '", text, "' is not possible: ", reason));
  };
  std::optional<SettingValue> value;
  try {
    value = read(parameter, text);
  } catch (const UsageError& error) {
    throw refuse(error.what());
  }
  if (!value) throw refuse("it takes " + allowed(parameter));
  return *value;
}

}  // namespace palimpsest
