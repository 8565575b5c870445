#pragma once
// What other programs call settings.
#include <optional>
#include <string_view>

namespace palimpsest {

struct FieldName {
  std::string_view name;     // with hyphens
  std::string_view setting;  // of Palimpsest, as written on a command line: "--precision bf16"
};

// "batch-size" is "--batch N".
std::optional<FieldName> find_field_name(std::string_view name);

}  // namespace palimpsest
