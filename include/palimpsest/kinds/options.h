#pragma once
// The options of a program or of one of its verbs: a row each, from which parsing, --help and the
// completion of shells come. The settings of a run have a separate table (config/key_table.h).
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "palimpsest/core/choice.h"
#include "palimpsest/kinds/setting_spec.h"

namespace palimpsest {

struct Option : SettingSpec {
  std::string_view value;  // what --help calls it: "FILE"; "" for a switch
  bool is_path = false;
  bool is_list = false;  // takes all words up to the next option
  std::function<void(const SettingValue&)> store;
};
using Options = std::vector<Option>;

// "1,3,5". Throws UsageError unless all are whole numbers within the range.
std::vector<std::int64_t> read_whole_numbers(const SettingSpec& spec, std::string_view text);

// The row of a variable, which it must not outlive. `spelling`: "name VALUE", or "name" of a
// switch. `more` has what doesn't follow from the type: the range (from 0 to 1e9 where it has
// none), the choices (of a path: suggestions), the kinds that the text is one of.
template <typename T>
Option option(std::string_view spelling, T& variable, std::string_view help,
              SettingSpec more = {}) {
  constexpr bool kIsList = std::is_same_v<T, std::vector<std::filesystem::path>>;
  constexpr bool kIsPath = kIsList || std::is_same_v<T, std::filesystem::path>;
  Option row;
  static_cast<SettingSpec&>(row) = std::move(more);
  row.name = spelling.substr(0, spelling.find(' '));
  row.value = spelling.substr(std::min(row.name.size() + 1, spelling.size()));
  row.help = help;
  row.is_path = kIsPath;
  row.is_list = kIsList;
  if (row.maximum == 0) row.maximum = 1e9;
  if constexpr (std::is_enum_v<T>) {
    row.type = Type::kWord;
    row.choices = choice_names<T>();
    row.store = [&variable](const SettingValue& value) {
      variable = choice<T>(std::get<std::string>(value)).value();
    };
  } else if constexpr (std::is_same_v<T, bool>) {
    row.type = Type::kSwitch;
    row.store = [&variable](const SettingValue& value) { variable = std::get<bool>(value); };
  } else if constexpr (std::is_same_v<T, double>) {
    row.type = Type::kNumber;
    row.store = [&variable](const SettingValue& value) { variable = std::get<double>(value); };
  } else if constexpr (kIsPath || std::is_same_v<T, std::string>) {
    row.type = kIsPath || row.choices.empty() ? Type::kText : Type::kWord;
    row.store = [&variable](const SettingValue& value) {
      if constexpr (kIsList) {
        variable.emplace_back(std::get<std::string>(value));
      } else {
        variable = std::get<std::string>(value);
      }
    };
  } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
    row.type = Type::kText;
    row.store = [&variable, range = SettingSpec(row)](const SettingValue& value) {
      variable = read_whole_numbers(range, std::get<std::string>(value));
    };
  } else {
    row.type = Type::kWhole;
    row.store = [&variable](const SettingValue& value) {
      variable = static_cast<std::int64_t>(std::get<std::uint64_t>(value));
    };
  }
  return row;
}

// Stores what is given for the options, as --name value or --name=value, with home folders put in,
// and returns the other words in order. Throws UsageError: a value that is missing, not possible,
// or given twice.
std::vector<std::string> take_options(const Options& options,
                                      std::span<const std::string> arguments);

// A line or more for each.
std::string options_help(const Options& options);

// What tools/completion/ reads: a line COMMAND|--NAME|HOW|WORDS|HELP for each option, where HOW is
// "" (no value), switch (a word may follow), kind, path or text, and WORDS are what may be typed.
std::string completion_line(std::string_view command, const SettingSpec& spec, bool is_path);
std::string completion_lines(std::string_view command, const Options& options);

}  // namespace palimpsest
