#pragma once
// A kind of one part of a method with its settings, as text NAME[:key=value,...]: on the command
// line, in a .cfg file and in records. A key that isn't known is refused by name.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace palimpsest {

using ParameterValue = std::variant<double, std::string, std::vector<std::string>>;

// One key of a kind: a number from `minimum` to `maximum`, or one of `choices`, or a list of words.
struct Parameter {
  std::string_view name;
  std::optional<ParameterValue> standard =
      std::nullopt;  // where the text doesn't give it; nullopt: it is needed
  double minimum = 0, maximum = 0;
  bool above_minimum = false;  // the minimum itself is not allowed
  bool below_maximum = false;  // nor the maximum
  bool whole = false;
  std::vector<std::string_view> choices = {};
  bool list = false;  // different words joined by +, at least one; of `choices` where it has some
};

// "a number above 0, at most 1"; "global, module, direction or coordinate".
std::string allowed(const Parameter& parameter);

// A value as the text has it.
std::string value_text(const ParameterValue& value);

struct KindSetting {
  std::string_view key;
  ParameterValue value;
  std::optional<ParameterValue> standard;

  bool is_standard() const { return value == standard; }
};

// A kind's name with a value for each of its parameters, checked.
class KindSettings {
 public:
  // `noun`: what a message calls the kind, as in "merge rule".
  KindSettings(std::string_view noun, std::string_view name, std::vector<KindSetting> settings)
      : noun_(noun), name_(name), settings_(std::move(settings)) {}

  std::string_view name() const { return name_; }
  // Throw Error when the kind has no such key, or one of another type.
  double number(std::string_view key) const;
  const std::string& word(std::string_view key) const;
  const std::vector<std::string>& words(std::string_view key) const;
  // Those that differ from the standard, in the order of the kind's parameters.
  std::vector<KindSetting> given() const;
  // These settings, with `value` for a key that the kind has, given by a setting of its own. Throws
  // UsageError where the text and that setting say different things, neither of them the default.
  KindSettings with(std::string_view key, const ParameterValue& value) const;
  // The shortest text that means the same: parses back to the same settings.
  std::string text() const;

 private:
  template <typename Value>
  const Value& at(std::string_view key, std::string_view type) const;

  std::string_view noun_, name_;
  std::vector<KindSetting> settings_;
};

// Reads "key=value,..." for the kind of that name. Throws UsageError: an unknown key (with the
// nearest known one), one given twice or missing, a value that is not possible (with what is).
KindSettings parse_kind_settings(std::string_view noun, std::string_view name,
                                 std::span<const Parameter> parameters, std::string_view text);

}  // namespace palimpsest
