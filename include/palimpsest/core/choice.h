#pragma once
// The names of an enumeration whose values are the choices of a setting, each said once: beside the
// enumeration is
//   constexpr auto choices(Scenario) { return std::array<std::string_view, 3>{"...", ...}; }
// with the names of its values, which count from 0.
#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

namespace palimpsest {

template <typename Enum>
requires std::is_enum_v<Enum>
constexpr std::string_view name(Enum value) {
  return choices(value)[static_cast<std::size_t>(value)];
}

// As a row of a setting has them.
template <typename Enum>
requires std::is_enum_v<Enum> std::vector<std::string_view> choice_names() {
  constexpr static auto kNames = choices(Enum{});
  return {kNames.begin(), kNames.end()};
}

// nullopt where no value has that name.
template <typename Enum>
requires std::is_enum_v<Enum>
constexpr std::optional<Enum> choice(std::string_view name) {
  constexpr auto names = choices(Enum{});
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace palimpsest
