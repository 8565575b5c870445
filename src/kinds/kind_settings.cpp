#include "palimpsest/kinds/kind_settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/nearest_name.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::string number_text(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

std::string listed(std::span<const std::string_view> names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += concat(i == 0 ? "" : (i + 1 == names.size() ? " or " : ", "), names[i]);
  }
  return text;
}

std::string joined(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) text += concat(text.empty() ? "" : "+", word);
  return text;
}

bool is_choice(const Parameter& parameter, std::string_view word) {
  return std::ranges::find(parameter.choices, word) != parameter.choices.end();
}

std::optional<ParameterValue> read_list(const Parameter& parameter, std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('+', start), text.size());
    const std::string word(text.substr(start, end - start));
    start = end + 1;
    if (word.empty() || std::ranges::find(words, word) != words.end()) return std::nullopt;
    if (!parameter.choices.empty() && !is_choice(parameter, word)) return std::nullopt;
    words.push_back(word);
  }
  return words;
}

std::optional<ParameterValue> read_value(const Parameter& parameter, std::string_view text) {
  if (parameter.list) return read_list(parameter, text);
  if (!parameter.choices.empty()) {
    if (!is_choice(parameter, text)) return std::nullopt;
    return std::string(text);
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
    return std::nullopt;
  }
  if (number < parameter.minimum || number > parameter.maximum ||
      (parameter.above_minimum && number == parameter.minimum) ||
      (parameter.below_maximum && number == parameter.maximum) ||
      (parameter.whole && number != std::floor(number))) {
    return std::nullopt;
  }
  return number + 0.0;  // -0 is 0
}

const Parameter& find_parameter(std::string_view noun, std::string_view kind,
                                std::span<const Parameter> parameters, std::string_view key) {
  std::vector<std::string_view> names;
  for (const Parameter& parameter : parameters) {
    if (parameter.name == key) return parameter;
    names.push_back(parameter.name);
  }
  const std::string has = names.empty() ? "it has no keys" : concat("its keys are ", listed(names));
  throw UsageError(
      concat(noun, " '", kind, "' has no key '", key, "'; ", name_hint(key, names, has)));
}

// What stands for a value in a hint of how to write the key.
std::string example(const Parameter& parameter) {
  if (!parameter.choices.empty()) return std::string(parameter.choices.front());
  if (parameter.list) return "WORD";
  if (parameter.whole) return number_text(parameter.minimum);
  return std::isinf(parameter.maximum) ? "1"
                                       : number_text((parameter.minimum + parameter.maximum) / 2);
}

}  // namespace

std::string value_text(const ParameterValue& value) {
  if (const double* const number = std::get_if<double>(&value)) return number_text(*number);
  if (const std::string* const word = std::get_if<std::string>(&value)) return *word;
  return joined(std::get<std::vector<std::string>>(value));
}

std::string allowed(const Parameter& parameter) {
  if (parameter.list) {
    const std::string of =
        parameter.choices.empty() ? "" : " of " + listed(parameter.choices) + ",";
    return concat("different words", of, " joined by +");
  }
  if (!parameter.choices.empty()) return listed(parameter.choices);
  std::string text = parameter.whole ? "a whole number" : "a number";
  const std::string low = number_text(parameter.minimum);
  if (std::isinf(parameter.maximum)) {
    return text + (parameter.above_minimum ? " above " + low : ", " + low + " or more");
  }
  text += (parameter.above_minimum ? " above " + low + "," : " from " + low);
  text += parameter.below_maximum ? " to below " : parameter.above_minimum ? " at most " : " to ";
  return text + number_text(parameter.maximum);
}

template <typename Value>
const Value& KindSettings::at(std::string_view key, std::string_view type) const {
  for (const KindSetting& setting : settings_) {
    if (setting.key != key) continue;
    if (const Value* const value = std::get_if<Value>(&setting.value)) return *value;
    throw Error(concat(noun_, " '", name_, "': ", key, " is no ", type));
  }
  throw Error(concat(noun_, " '", name_, "' has no key '", key, "'"));
}

double KindSettings::number(std::string_view key) const { return at<double>(key, "number"); }

const std::string& KindSettings::word(std::string_view key) const {
  return at<std::string>(key, "word");
}

const std::vector<std::string>& KindSettings::words(std::string_view key) const {
  return at<std::vector<std::string>>(key, "list");
}

std::vector<KindSetting> KindSettings::given() const {
  std::vector<KindSetting> given;
  for (const KindSetting& setting : settings_) {
    if (!setting.is_standard()) given.push_back(setting);
  }
  return given;
}

KindSettings KindSettings::with(std::string_view key, const ParameterValue& value) const {
  KindSettings changed = *this;
  for (KindSetting& setting : changed.settings_) {
    if (setting.key != key || setting.value == value || value == setting.standard) continue;
    if (!setting.is_standard()) {
      throw UsageError(concat(noun_, " '", name_, "': ", key, " is given twice, as ", key, "=",
                              value_text(setting.value), " and by a setting of its own as ",
                              value_text(value), "; leave one out"));
    }
    setting.value = value;
  }
  return changed;
}

std::string KindSettings::text() const {
  std::string text(name_);
  char separator = ':';
  for (const KindSetting& setting : given()) {
    text += concat(separator, setting.key, "=", value_text(setting.value));
    separator = ',';
  }
  return text;
}

KindSettings parse_kind_settings(std::string_view noun, std::string_view name,
                                 std::span<const Parameter> parameters, std::string_view text) {
  const auto refuse = [&](const auto&... reason) {
    throw UsageError(concat(noun, " '", name, "'", reason...));
  };
  std::vector<std::optional<ParameterValue>> values(parameters.size());
  for (std::size_t start = 0; !text.empty() && start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string_view part = text.substr(start, end - start);
    start = end + 1;
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      refuse(": expected key=value, found '", part, "'");
    }
    const std::string_view key = part.substr(0, equals), value = part.substr(equals + 1);
    const Parameter& parameter = find_parameter(noun, name, parameters, key);
    std::optional<ParameterValue>& read =
        values[static_cast<std::size_t>(&parameter - parameters.data())];
    if (read) refuse(": ", key, " is given twice");
    read = read_value(parameter, value);
    if (!read) {
      refuse(": ", key, " = '", value, "' is not possible: it takes ", allowed(parameter));
    }
  }
  std::vector<KindSetting> settings;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& parameter = parameters[i];
    if (!values[i] && !parameter.standard) {
      refuse(" needs ", parameter.name, ", ", allowed(parameter), ": ", name, ":", parameter.name,
             "=", example(parameter));
    }
    settings.push_back({.key = parameter.name,
                        .value = values[i] ? *values[i] : *parameter.standard,
                        .standard = parameter.standard});
  }
  return {noun, name, std::move(settings)};
}

}  // namespace palimpsest
