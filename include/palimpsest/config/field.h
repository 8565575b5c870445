#pragma once
// A member of a struct of settings, whatever its type, as the value that a text gives.
#include <functional>

#include "palimpsest/core/choice.h"
#include "palimpsest/core/error.h"
#include "palimpsest/kinds/setting_spec.h"

namespace palimpsest {

template <typename Settings>
struct Field {
  std::function<SettingValue(const Settings&)> get;
  std::function<void(Settings&, const SettingValue&)> set;
};

// The row of a member: `spec`, with the type and the choices that follow from the member's.
template <typename Settings, typename T>
SettingSpec make_row(T Settings::*, SettingSpec spec) {
  if constexpr (std::is_enum_v<T>) {
    spec.choices = choice_names<T>();
    spec.type = Type::kWord;
  } else if constexpr (std::is_same_v<T, bool>) {
    spec.type = Type::kSwitch;
  } else if constexpr (std::is_integral_v<T>) {
    spec.type = Type::kWhole;
  } else if constexpr (std::is_same_v<T, std::vector<double>>) {
    spec.type = Type::kNumbers;
  } else if constexpr (std::is_same_v<T, std::string>) {
    spec.type = spec.kinds != nullptr  ? Type::kKind
                : spec.choices.empty() ? Type::kText
                                       : Type::kWord;
  }
  return spec;
}

// A whole number that may also be a word has 0 for the word.
template <typename Settings, typename T>
Field<Settings> make_field(T Settings::*member, const SettingSpec& spec) {
  if constexpr (std::is_enum_v<T>) {
    return {[member](const Settings& settings) { return std::string(name(settings.*member)); },
            [member](Settings& settings, const SettingValue& value) {
              settings.*member = choice<T>(std::get<std::string>(value)).value();
            }};
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    const std::string word(spec.choices.empty() ? "" : spec.choices.front());
    return {[member, word](const Settings& settings) -> SettingValue {
              if (!word.empty() && settings.*member == 0) return word;
              return static_cast<std::uint64_t>(settings.*member);
            },
            [member](Settings& settings, const SettingValue& value) {
              const auto* const number = std::get_if<std::uint64_t>(&value);
              settings.*member = number == nullptr ? T{0} : static_cast<T>(*number);
            }};
  } else {
    return {[member](const Settings& settings) -> SettingValue { return settings.*member; },
            [member](Settings& settings, const SettingValue& value) {
              settings.*member = std::get<T>(value);
            }};
  }
}

}  // namespace palimpsest
