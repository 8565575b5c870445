#include "palimpsest/kinds/kind_settings.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

const SettingSpec& find_spec(std::string_view noun, std::string_view kind,
                             std::span<const SettingSpec> keys, std::string_view key) {
  std::vector<std::string_view> names;
  for (const SettingSpec& spec : keys) {
    if (spec.name == key) return spec;
    names.push_back(spec.name);
  }
  const std::string has =
      names.empty() ? "it has no keys" : concat("its keys are ", in_words(names, "or"));
  throw UsageError(
      concat(noun, " '", kind, "' has no key '", key, "'; ", name_hint(key, names, has)));
}

// The placeholder of a value in a hint of how to write the key.
std::string example(const SettingSpec& spec) {
  if (!spec.choices.empty()) return std::string(spec.choices.front());
  if (spec.type == Type::kWords) return "WORD";
  if (spec.type == Type::kWhole || std::isinf(spec.maximum))
    return value_text(std::max(spec.minimum, 1.0));
  return value_text((spec.minimum + spec.maximum) / 2);
}

}  // namespace

std::string_view kind_in(std::string_view text) { return text.substr(0, text.find(':')); }

std::vector<std::string> kinds_in(std::string_view text) {
  std::vector<std::string> kinds;
  for (const std::string_view part : split(text, ',')) {
    const bool is_key = part.find('=') < part.find(':');
    if (is_key && !kinds.empty())
      kinds.back() += concat(',', part);
    else
      kinds.emplace_back(part);
  }
  return kinds;
}

std::vector<KeyText> keys_in(std::string_view text) {
  std::vector<KeyText> keys;
  for (std::size_t mark = kind_in(text).size(); mark < text.size();) {  // at the colon or a comma
    const std::size_t end = std::min(text.find(',', mark + 1), text.size());
    const std::string_view part = text.substr(mark + 1, end - mark - 1);
    const std::size_t equals = part.find('=');
    keys.push_back({part.substr(0, equals), std::nullopt});
    if (equals != part.npos) keys.back().value = part.substr(equals + 1);
    mark = end;
  }
  return keys;
}

std::string key_in(std::string_view text, std::string_view key) {
  for (const KeyText& given : keys_in(text))
    if (given.key == key) return std::string(given.value.value_or(""));
  return "";
}

template <typename Value>
const Value& KindSettings::at(std::string_view key, std::string_view type) const {
  if (const Value* const found = std::get_if<Value>(&value(key))) return *found;
  throw Error(concat(noun_, " '", name_, "': ", key, " is no ", type));
}

const SettingValue& KindSettings::value(std::string_view key) const {
  const auto found = std::ranges::find(settings_, key, &KindSetting::key);
  if (found == settings_.end()) throw Error(concat(noun_, " '", name_, "' has no key '", key, "'"));
  return found->value;
}

double KindSettings::number(std::string_view key) const {
  if (const auto* const whole = std::get_if<std::uint64_t>(&value(key)))
    return static_cast<double>(*whole);
  return at<double>(key, "number");
}

std::int64_t KindSettings::whole(std::string_view key) const {
  return static_cast<std::int64_t>(at<std::uint64_t>(key, "whole number"));
}

bool KindSettings::is_on(std::string_view key) const { return at<bool>(key, "switch"); }

const std::string& KindSettings::word(std::string_view key) const {
  return at<std::string>(key, "word");
}

const std::vector<std::string>& KindSettings::words(std::string_view key) const {
  return at<std::vector<std::string>>(key, "list");
}

std::vector<KindSetting> KindSettings::given() const {
  std::vector<KindSetting> given;
  for (const KindSetting& setting : settings_) {
    if (!setting.is_default()) given.push_back(setting);
  }
  return given;
}

namespace {

std::string kind_text(std::string_view name, std::span<const KindSetting> settings) {
  std::string text(name);
  char separator = ':';
  for (const KindSetting& setting : settings) {
    text += concat(separator, setting.key, "=", value_text(setting.value));
    separator = ',';
  }
  return text;
}

}  // namespace

std::string KindSettings::text() const { return kind_text(name_, given()); }

std::string KindSettings::full_text(Keys keys) const {
  std::vector<KindSetting> all = settings_;
  if (keys == Keys::kAllButOperational)
    std::erase_if(all, [](const KindSetting& one) { return one.effect == Effect::kOperational; });
  return kind_text(name_, all);
}

KindSettings parse_kind_settings(std::string_view noun, std::string_view name,
                                 std::span<const SettingSpec> keys, std::string_view text) {
  const auto refuse = [&](const auto&... reason) {
    throw UsageError(concat(noun, " '", name, "'", reason...));
  };
  std::vector<std::optional<SettingValue>> values(keys.size());
  for (auto [key, value] : keys_in(text)) {
    if (!value && keys.size() == 1 && key != keys[0].name)  // NAME:value
      std::tie(key, value) = std::pair(keys[0].name, key);
    if (!value && (key.empty() || !keys.empty())) refuse(": expected key=value, found '", key, "'");
    const SettingSpec& spec = find_spec(noun, name, keys, key);
    std::optional<SettingValue>& read = values[static_cast<std::size_t>(&spec - keys.data())];
    if (read) refuse(": ", key, " is given twice");
    try {
      read = read_value(spec, *value);
    } catch (const UsageError& error) {
      refuse(": ", error.what());
    }
  }
  std::vector<KindSetting> settings;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const SettingSpec& spec = keys[i];
    if (!values[i] && !spec.default_value) {
      refuse(" needs ", spec.name, ", ", allowed(spec), ": ", name, ":", spec.name, "=",
             example(spec));
    }
    settings.push_back({.key = spec.name,
                        .value = values[i] ? *values[i] : *spec.default_value,
                        .default_value = spec.default_value,
                        .effect = spec.effect});
  }
  return {noun, name, std::move(settings)};
}

}  // namespace palimpsest
