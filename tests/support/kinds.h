#pragma once
// Texts of kinds, whatever keys they have.
#include <cmath>
#include <string>
#include <vector>

#include "palimpsest/core/text.h"
#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {

// Some values that a key can have, as texts.
inline std::vector<std::string> some_values(const SettingSpec& spec) {
  std::vector<std::string> values(spec.choices.begin(), spec.choices.end());
  if (!values.empty() && spec.type != Type::kWhole && spec.type != Type::kNumber) return values;
  if (spec.type == Type::kWords) return {"x", "x+y"};
  if (spec.type == Type::kSwitch) return {"true", "false"};
  const double least = spec.minimum, greatest = spec.maximum;
  for (const double value : {(least + greatest) / 2, least, least + 1, greatest}) {
    const bool is_possible = std::isfinite(value) && value <= greatest &&
                             (value > least || !spec.above_minimum) &&
                             (value < greatest || !spec.below_maximum) &&
                             (std::trunc(value) == value || spec.type != Type::kWhole);
    if (!is_possible) continue;
    const bool is_whole = spec.type == Type::kWhole;
    values.push_back(is_whole ? value_text(static_cast<std::uint64_t>(value)) : value_text(value));
  }
  return values;
}

// The name, with a value for each key that has no standard one.
inline std::string standard_text(const Kind& kind) {
  std::string text(kind.name);
  char separator = ':';
  for (const SettingSpec& spec : kind.keys) {
    if (spec.default_value) continue;
    text += concat(separator, spec.name, '=', some_values(spec).front());
    separator = ',';
  }
  return text;
}

}  // namespace palimpsest
