#pragma once
// A command's own options among the settings of a run: members of a struct, each with a row as a
// setting has one.
#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/config/struct_kinds.h"
#include "palimpsest/kinds/old_settings.h"

namespace palimpsest {

template <typename Options>
using OwnOptions = std::vector<StructKey<Options>>;

using FindRow = std::function<const Parameter*(std::string_view name)>;

// Takes --name value, --name=value, and --name alone for a switch, out of the words of a command
// line where `find` knows the name. Throws UsageError.
std::vector<Given> take_given(const FindRow& find, std::vector<std::string>& words);

// read_value(), with the source of what is refused.
ParameterValue read_given(const Parameter& row, const Given& given);

// Sets what `rows` know, and returns the other arguments in order. Throws UsageError, also for a
// text that is empty.
template <typename Options>
std::vector<std::string> take_own_options(const OwnOptions<Options>& rows,
                                          std::span<const std::string> arguments,
                                          Options& options) {
  std::vector<std::string> others(arguments.begin(), arguments.end());
  const auto find_row = [&](std::string_view name) {
    return std::ranges::find_if(rows, [&](const auto& row) { return row.parameter.name == name; });
  };
  const auto find = [&](std::string_view name) {
    const auto row = find_row(name);
    return row == rows.end() ? nullptr : &row->parameter;
  };
  for (const Given& given : take_given(find, others)) {
    const StructKey<Options>& row = *find_row(given.name);
    if (row.parameter.type == Type::kText && given.value.empty())
      throw UsageError("--" + given.name + ": expected a value, found an empty one");
    row.field.set(options, read_given(row.parameter, given));
  }
  return others;
}

// A line for each, with its default and what it takes.
std::string options_help(std::string_view heading, std::span<const Parameter> rows);

template <typename Options>
std::string own_options_help(std::string_view heading, const OwnOptions<Options>& rows) {
  std::vector<Parameter> parameters;
  for (const StructKey<Options>& row : rows) parameters.push_back(row.parameter);
  return options_help(heading, parameters);
}

}  // namespace palimpsest
