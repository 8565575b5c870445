#pragma once
// One setting that a text can give a value: a setting of the program, or a key of a kind of one of
// its parts. Parsing, ranges, help, hints and what may change on resume all come from this row.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace palimpsest {

struct KindTable;

// What a change of the setting changes.
enum class Effect {
  kMath,         // the numbers a run is about: refused on resume
  kNumerics,     // rounding only (lanes, device): refused on resume
  kOperational,  // nothing in the results: free
};

enum class Type {
  kNumber,   // a finite number, or one of `choices`
  kWhole,    // a whole number from 0, or one of `choices`
  kSwitch,   // true or false
  kWord,     // one of `choices`
  kWords,    // different words joined by +, at least one; of `choices` where it has some
  kNumbers,  // rising numbers joined by +
  kText,     // anything that a line of a .cfg file can have
  kKind,     // NAME[:key=value,...] of `kinds`
};

using SettingValue = std::variant<double, std::uint64_t, bool, std::string,
                                  std::vector<std::string>, std::vector<double>>;

struct SettingSpec {
  std::string_view name = {};
  Type type = Type::kNumber;
  std::optional<SettingValue> default_value =
      std::nullopt;  // of a key: where the text doesn't give it; nullopt: it is needed
  double minimum = 0, maximum = 0;
  bool above_minimum = false;  // the minimum itself is not allowed
  bool below_maximum = false;  // nor the maximum
  std::vector<std::string_view> choices = {};
  std::string_view help = {};
  Effect effect = Effect::kMath;
  const KindTable* kinds = nullptr;
  bool takes_several = false;  // kinds, with a comma between two: NAME[:key=value,...],NAME...
  // Of a kind: throws UsageError for a text that the table allows and the program doesn't.
  std::function<void(std::string_view text)> check = nullptr;
  std::vector<std::string_view> other_names = {};  // what other programs call a key: for a hint
};

// "a number above 0, at most 1"; "global, module, direction or coordinate".
std::string allowed(const SettingSpec& spec);

// A value as the text has it.
std::string value_text(const SettingValue& value);

// The checked value of a text; of a kind, the shortest text that means the same. Throws UsageError
// that names the key, the text and what is allowed.
SettingValue read_value(const SettingSpec& spec, std::string_view text);

}  // namespace palimpsest
