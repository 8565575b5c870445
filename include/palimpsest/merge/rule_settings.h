#pragma once
// A merge rule as text, RULE[:key=value,...]: on the command line, in a .cfg file and in records. A
// rule or key that isn't known is refused by name.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace palimpsest {

using RuleValue = std::variant<double, std::string>;

// One key of a rule: a number from `minimum` to `maximum`, or one of `choices`.
struct RuleParameter {
  std::string_view name;
  std::optional<RuleValue> standard;  // where the text doesn't give it; nullopt: it must be given
  double minimum = 0, maximum = 0;
  bool above_minimum = false;  // the minimum itself is not allowed
  bool below_maximum = false;  // nor the maximum
  bool whole = false;
  std::vector<std::string_view> choices = {};
};

// "a number above 0, at most 1"; "global, module, direction or coordinate".
std::string allowed(const RuleParameter& parameter);

struct RuleSetting {
  std::string_view key;
  RuleValue value;
  bool is_standard = false;
};

// A rule's name with a value for each of its parameters, checked.
class RuleSettings {
 public:
  RuleSettings(std::string_view name, std::vector<RuleSetting> settings)
      : name_(name), settings_(std::move(settings)) {}

  std::string_view name() const { return name_; }
  // Throw Error when the rule has no such key, or one of the other type.
  double number(std::string_view key) const;
  const std::string& word(std::string_view key) const;
  // Those that differ from what holds without being given, in the rule's order.
  std::vector<RuleSetting> given() const;
  // The shortest text that means the same: parses back to the same settings.
  std::string text() const;

 private:
  const RuleSetting& at(std::string_view key) const;

  std::string_view name_;
  std::vector<RuleSetting> settings_;
};

// Reads "key=value,..." for the rule of that name. Throws UsageError: an unknown key (with the
// nearest known one), one given twice or missing, a value that is not possible (with what is).
RuleSettings parse_rule_settings(std::string_view rule, std::span<const RuleParameter> parameters,
                                 std::string_view text);

}  // namespace palimpsest
