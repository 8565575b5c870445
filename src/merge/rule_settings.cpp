#include "palimpsest/merge/rule_settings.h"

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

std::string value_text(const RuleValue& value) {
  const double* const number = std::get_if<double>(&value);
  return number != nullptr ? number_text(*number) : std::get<std::string>(value);
}

std::string listed(std::span<const std::string_view> names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += concat(i == 0 ? "" : (i + 1 == names.size() ? " or " : ", "), names[i]);
  }
  return text;
}

std::optional<RuleValue> read_value(const RuleParameter& parameter, std::string_view text) {
  if (!parameter.choices.empty()) {
    const auto found = std::find(parameter.choices.begin(), parameter.choices.end(), text);
    if (found == parameter.choices.end()) return std::nullopt;
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

const RuleParameter& find(std::string_view rule, std::span<const RuleParameter> parameters,
                          std::string_view key) {
  std::vector<std::string_view> names;
  for (const RuleParameter& parameter : parameters) {
    if (parameter.name == key) return parameter;
    names.push_back(parameter.name);
  }
  const std::string has = names.empty() ? "it has no keys" : concat("its keys are ", listed(names));
  throw UsageError(
      concat("merge rule '", rule, "' has no key '", key, "'; ", name_hint(key, names, has)));
}

// What stands for a value in a hint of how to write the key.
std::string example(const RuleParameter& parameter) {
  if (!parameter.choices.empty()) return std::string(parameter.choices.front());
  if (parameter.whole) return number_text(parameter.minimum);
  return std::isinf(parameter.maximum) ? "1"
                                       : number_text((parameter.minimum + parameter.maximum) / 2);
}

}  // namespace

std::string allowed(const RuleParameter& parameter) {
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

const RuleSetting& RuleSettings::at(std::string_view key) const {
  for (const RuleSetting& setting : settings_) {
    if (setting.key == key) return setting;
  }
  throw Error(concat("merge rule '", name_, "' has no key '", key, "'"));
}

double RuleSettings::number(std::string_view key) const {
  const double* const value = std::get_if<double>(&at(key).value);
  if (value == nullptr) throw Error(concat("merge rule '", name_, "': ", key, " is no number"));
  return *value;
}

const std::string& RuleSettings::word(std::string_view key) const {
  const std::string* const value = std::get_if<std::string>(&at(key).value);
  if (value == nullptr) throw Error(concat("merge rule '", name_, "': ", key, " is a number"));
  return *value;
}

std::vector<RuleSetting> RuleSettings::given() const {
  std::vector<RuleSetting> given;
  for (const RuleSetting& setting : settings_) {
    if (!setting.is_standard) given.push_back(setting);
  }
  return given;
}

std::string RuleSettings::text() const {
  std::string text(name_);
  char separator = ':';
  for (const RuleSetting& setting : given()) {
    text += concat(separator, setting.key, "=", value_text(setting.value));
    separator = ',';
  }
  return text;
}

RuleSettings parse_rule_settings(std::string_view rule, std::span<const RuleParameter> parameters,
                                 std::string_view text) {
  std::vector<std::optional<RuleValue>> values(parameters.size());
  for (std::size_t start = 0; !text.empty() && start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string_view part = text.substr(start, end - start);
    start = end + 1;
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      throw UsageError(concat("merge rule '", rule, "': expected key=value, found '", part, "'"));
    }
    const std::string_view key = part.substr(0, equals), value = part.substr(equals + 1);
    const RuleParameter& parameter = find(rule, parameters, key);
    std::optional<RuleValue>& read =
        values[static_cast<std::size_t>(&parameter - parameters.data())];
    if (read) throw UsageError(concat("merge rule '", rule, "': ", key, " is given twice"));
    read = read_value(parameter, value);
    if (!read) {
      throw UsageError(concat("merge rule '", rule, "': ", key, " = '", value,
                              "' is not possible: it takes ", allowed(parameter)));
    }
  }
  std::vector<RuleSetting> settings;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const RuleParameter& parameter = parameters[i];
    if (!values[i] && !parameter.standard) {
      throw UsageError(concat("merge rule '", rule, "' needs ", parameter.name, ", ",
                              allowed(parameter), ": ", rule, ":", parameter.name, "=",
                              example(parameter)));
    }
    const bool is_standard = !values[i] || values[i] == parameter.standard;
    settings.push_back({.key = parameter.name,
                        .value = values[i] ? *values[i] : *parameter.standard,
                        .is_standard = is_standard});
  }
  return {rule, std::move(settings)};
}

}  // namespace palimpsest
