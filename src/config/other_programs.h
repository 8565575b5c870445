#pragma once
// What other programs call settings and their values.
#include <optional>
#include <string>
#include <string_view>

#include "palimpsest/kinds/setting_spec.h"

namespace palimpsest {

// What to do instead of giving a setting of other programs: of "batch-size" "write --batch N".
// nullopt where the name is not known from them. trains: the batch is one of training.
std::optional<std::string> setting_of_other_programs(std::string_view name, bool trains);

// The same of a value, as a sentence: "'gpu' is not known here. Write cuda". Of NAME:key=value the
// name and the keys are looked up.
std::optional<std::string> value_of_other_programs(const SettingSpec& row, std::string_view value);

}  // namespace palimpsest
