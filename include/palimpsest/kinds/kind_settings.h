#pragma once
// A kind of one part of a method with its settings, as text NAME[:key=value,...]: on the command
// line, in a .cfg file and in records. A key that isn't known is refused by name.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/choice.h"
#include "palimpsest/kinds/setting_spec.h"

namespace palimpsest {

// NAME of NAME[:key=value,...], as it is written.
std::string_view kind_in(std::string_view text);

// The texts of a list NAME[:key=value,...],NAME...: a comma begins another one unless a key
// follows.
std::vector<std::string> kinds_in(std::string_view text);

// The parts key=value of one, in order; no value where a part has no =.
struct KeyText {
  std::string_view key;
  std::optional<std::string_view> value;
};
std::vector<KeyText> keys_in(std::string_view text);

// The value of a key in NAME[:key=value,...]; "" where the text doesn't give it.
std::string key_in(std::string_view text, std::string_view key);

struct KindSetting {
  std::string_view key;
  SettingValue value;
  std::optional<SettingValue> default_value;
  Effect effect = Effect::kMath;

  bool is_default() const { return value == default_value; }
};

// A kind's name with a value for each of its keys, checked.
class KindSettings {
 public:
  // `noun`: what a message calls the kind, as in "merge rule".
  KindSettings(std::string_view noun, std::string_view name, std::vector<KindSetting> settings)
      : noun_(noun), name_(name), settings_(std::move(settings)) {}

  std::string_view name() const { return name_; }
  // Throw Error when the kind has no such key, or one of another type.
  double number(std::string_view key) const;
  std::int64_t whole(std::string_view key) const;
  bool is_on(std::string_view key) const;
  const std::string& word(std::string_view key) const;
  const std::vector<std::string>& words(std::string_view key) const;
  const SettingValue& value(std::string_view key) const;
  // Of a word whose choices are the names of Enum.
  template <typename Enum>
  Enum choice(std::string_view key) const {
    return palimpsest::choice<Enum>(word(key)).value();
  }
  // Those that differ from their defaults, in the order of the kind's keys.
  std::vector<KindSetting> given() const;
  // The shortest text that means the same: parses back to the same settings.
  std::string text() const;
  // With all keys, so that it means the same where a default is another.
  enum class Keys { kAll, kAllButOperational };
  std::string full_text(Keys keys = Keys::kAll) const;

 private:
  template <typename Value>
  const Value& at(std::string_view key, std::string_view type) const;

  std::string_view noun_, name_;
  std::vector<KindSetting> settings_;
};

// Reads the keys of NAME[:key=value,...], or of NAME:value where the kind has one key, for the kind
// of that name. Throws UsageError: an unknown key (with the nearest known one), one given twice or
// missing, a value that is not possible (with what is).
KindSettings parse_kind_settings(std::string_view noun, std::string_view name,
                                 std::span<const SettingSpec> keys, std::string_view text);

}  // namespace palimpsest
