#pragma once
// What other programs call settings and their values.
#include <optional>
#include <string>
#include <string_view>

namespace palimpsest {

// The setting that "batch-size" is called here, as written on a command line: "--batch N". nullopt
// where the name is not known from other programs.
std::optional<std::string_view> setting_of_other_programs(std::string_view name);

// The same of a value, as a sentence: "'gpu' is not known here. Write cuda". Of NAME:key=value the
// name and the keys are looked up.
std::optional<std::string> value_of_other_programs(std::string_view setting,
                                                   std::string_view value);

}  // namespace palimpsest
