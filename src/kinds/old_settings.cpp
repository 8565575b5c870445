#include "palimpsest/kinds/old_settings.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "old_keys.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/kind_settings.h"

namespace palimpsest {
namespace {

using Json = nlohmann::ordered_json;

// What head-refit = true and head-align = true meant.
constexpr const char *kRefitPasses = "20", *kAlignment = "gaussian";

// Those that gave two settings their meaning, or none.
const std::vector<Spelling> kOthers = {{"head-refit-epochs", "local:refit=20"},
                                       {"head-align-epochs", "local:align=gaussian"},
                                       {"ewc", "ewc:weight=1"}};

// Lists were written with commas.
std::string list_text(std::string_view text) {
  std::string joined;
  for (const char letter : text)
    if (letter != ' ') joined += letter == ',' ? '+' : letter;
  return joined;
}

// Whether the whole text is a number, and that is 0.
bool is_zero(std::string_view text) { return number_in<double>(text) == 0; }

// A number of passes of an alignment that is no more; SLCA's has taken its place.
std::string todays_align(std::string_view value) {
  if (!number_in<double>(value)) return std::string(value);
  return std::string(is_zero(value) ? "none" : kAlignment);
}

std::string convert_value(const OldKey& key, std::string_view old_value) {
  if (key.setting == "classifier" && key.key == "align") return todays_align(old_value);
  return key.default_value.find('+') == key.default_value.npos ? std::string(old_value)
                                                               : list_text(old_value);
}

bool is_old(std::string_view name) {
  return find_by_old_name(name) != nullptr ||
         std::ranges::any_of(kOthers, [&](const Spelling& other) { return other.setting == name; });
}

// "local:refit=0,align=5", which it was when every run had one classifier.
bool has_old_align(std::string_view setting, std::string_view value) {
  return setting == "classifier" && kind_in(value) == "local" && kinds_in(value).size() == 1 &&
         number_in<double>(key_in(value, "align")).has_value();
}

std::string with_todays_align(std::string_view text) {
  std::string today(kind_in(text));
  char separator = ':';
  for (const auto& [key, value] : keys_in(text)) {
    today += concat(separator, key);
    if (value) today += concat('=', key == "align" ? todays_align(*value) : std::string(*value));
    separator = ',';
  }
  return today;
}

bool is_of_record(const Given& given) { return given.file.empty(); }

std::string left_out(const Given& given, std::string_view why) {
  return concat(given.source, ": ", given.name, " is left out: ", why);
}

// A switch and a number of passes become one number, in the line of the switch.
void join_switch(std::string_view name, std::string_view default_value, std::vector<Given>& lines,
                 std::vector<std::string>& unused) {
  const std::string of_passes = concat(name, "-epochs");
  const auto last = [&](std::string_view wanted) {
    const auto found = std::ranges::find(lines.rbegin(), lines.rend(), wanted, &Given::name);
    return found == lines.rend() ? nullptr : &*found;
  };
  Given* const is_on = last(name);
  const Given* const passes = last(of_passes);
  const bool on = is_on != nullptr && is_on->value == "true";
  if (on) is_on->value = passes == nullptr ? default_value : passes->value;
  if (!on && passes != nullptr) unused.push_back(left_out(*passes, concat(name, " isn't true")));
  if (on && passes != nullptr && name == "head-align")
    unused.push_back(left_out(*passes, "align=gaussian, SLCA's alignment, always has 5 passes"));
  if (!on && is_on != nullptr && is_on->value == "false") is_on->value = "0";
  std::erase_if(lines, [&](const Given& line) { return line.name == of_passes; });
}

void convert_align(std::vector<Given>& lines, std::vector<std::string>& unused) {
  for (Given& line : lines) {
    if (!has_old_align(line.name, line.value)) continue;
    const std::string passes = key_in(line.value, "align");
    if (!is_zero(passes)) {
      unused.push_back(concat(line.source, ": align=", passes, " of ", line.name,
                              " is now align=gaussian, SLCA's alignment, which has 5 passes"));
    }
    line.value = with_todays_align(line.value);
  }
}

// In a record 0 is what it was by default, and says nothing.
void turn_ewc_into_a_penalty(std::vector<Given>& lines) {
  std::erase_if(lines, [](const Given& line) {
    return line.name == "ewc" && is_zero(line.value) && is_of_record(line);
  });
  for (Given& line : lines) {
    if (line.name != "ewc") continue;
    line.name = "penalty";
    line.value = is_zero(line.value) ? "none" : concat("ewc:weight=", line.value);
  }
}

struct Value {
  std::string text;
  const Given* given = nullptr;
};

// The later of two, unless one place says both. A record has all settings, so that a default in it
// gives way. Throws UsageError.
void assign(Value& value, std::string_view text, const Given& given,
            std::string_view default_value) {
  const bool contradicts = value.given != nullptr && value.text != text &&
                           value.given->file == given.file && value.given != &given;
  if (contradicts && is_of_record(given) && text == default_value) return;
  if (contradicts && !(is_of_record(given) && value.text == default_value)) {
    throw UsageError(concat(given.source, given.source.empty() ? "" : ": ", value.given->name,
                            " = ", value.given->value, " and ", given.name, " = ", given.value,
                            " say different things: leave one of them out"));
  }
  value = {std::string(text), &given};
}

// A setting whose kind has, or had, keys: what lines say of it, in today's spelling and in the old.
struct KindLines {
  std::string_view setting;
  Value kind = {};
  std::map<std::string, Value, std::less<>> keys = {};

  void add_text(const Given& line) {
    std::erase_if(keys, [&](const auto& key) {
      return key.second.given->name == setting && key.second.given->file != line.file;
    });
    assign(kind, kind_in(line.value), line, default_kinds().at(setting));
    for (const auto& [name, value] : keys_in(line.value)) {
      const OldKey* const known = find_old_key(setting, name);
      assign(keys[std::string(name)], value.value_or(""), line, known ? known->default_value : "");
    }
  }

  void add_old(const OldKey& key, const Given& line) {
    assign(keys[std::string(key.key)], convert_value(key, line.value), line, key.default_value);
  }

  // With all keys of its kind, in the order of today's settings.
  std::string text(std::vector<std::string>& unused) const {
    std::string text = kind.text;
    const auto add = [&](std::string_view key, std::string_view value) {
      text += concat(text.size() == kind.text.size() ? ':' : ',', key, '=', value);
    };
    const auto is_known = [&](std::string_view name) {
      const OldKey* const key = find_old_key(setting, name);
      return key != nullptr && is_of(*key, kind.text);
    };
    for (const OldKey& key : old_keys()) {
      if (key.setting != setting || !is_of(key, kind.text)) continue;
      const auto given = keys.find(key.key);
      if (given != keys.end())
        add(key.key, given->second.text);
      else if (!key.is_operational)
        add(key.key, key.default_value);
    }
    for (const auto& [name, value] : keys) {
      if (is_known(name)) continue;
      if (value.given->name == setting)
        add(name, value.text);
      else
        unused.push_back(
            left_out(*value.given, concat(setting, " = ", kind.text, " has no key ", name)));
    }
    return text;
  }
};

// A kind's whole text, as records have it, with the keys that came later; another text as it is.
std::string with_later_keys(std::string_view setting, const std::string& text) {
  std::string whole = text;
  for (const OldKey& key : old_keys()) {
    const bool is_given = !key_in(text, key.key).empty();
    if (key.setting != setting || !is_of(key, kind_in(text)) || key.is_operational || is_given)
      continue;
    if (!key.came_later) return text;
    whole += concat(keys_in(whole).empty() ? ':' : ',', key.key, '=', key.default_value);
  }
  return whole;
}

std::string with_later_keys(Json recorded, const std::string& recorded_json) {
  bool any = false;
  for (const auto& default_kind : default_kinds()) {
    const std::string_view setting = default_kind.first;
    const auto found = recorded.find(std::string(setting));
    if (found == recorded.end() || !found->is_string()) continue;
    const auto text = found->get<std::string>();
    const std::string whole = join(kinds_in(text), ",", [&](const std::string& kind) {
      return with_later_keys(setting, kind);
    });
    any = any || whole != text;
    *found = whole;
  }
  return any ? recorded.dump(-1, ' ', false, Json::error_handler_t::replace) : recorded_json;
}

std::string json_value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return value_text(value.get<double>());
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& part : value) text += concat(text.empty() ? "" : ",", json_value_text(part));
  return text;
}

}  // namespace

std::optional<Spelling> todays_spelling(std::string_view old_name,
                                        std::optional<std::string_view> value) {
  if (const OldKey* const key = find_by_old_name(old_name)) {
    std::string text = value ? convert_value(*key, *value) : std::string(key->default_value);
    if (key->setting == "classifier" && (!value || value == "true"))
      text = key->key == "refit" ? kRefitPasses : kAlignment;
    if (key->setting == "classifier" && value == "false") text = key->default_value;
    const std::string_view usual = default_kinds().at(key->setting);
    const std::string_view kind = is_of(*key, usual) ? usual : key->kinds.front();
    return Spelling{std::string(key->setting), concat(kind, ':', key->key, '=', text)};
  }
  if (value && has_old_align(old_name, *value))
    return Spelling{std::string(old_name), with_todays_align(*value)};
  for (const Spelling& other : kOthers) {
    if (other.setting != old_name) continue;
    const std::string setting = old_name == "ewc" ? "penalty" : "classifier";
    if (setting == "penalty" && value && is_zero(*value)) return Spelling{setting, "none"};
    const std::string kind = other.value.substr(0, other.value.find('=') + 1);
    if (!value) return Spelling{setting, other.value};
    const bool is_align = old_name == "head-align-epochs";
    return Spelling{setting, concat(kind, is_align ? todays_align(*value) : std::string(*value))};
  }
  return std::nullopt;
}

std::optional<ConvertedSettings> convert_old_settings(std::vector<Given> lines) {
  const auto is_old_line = [](const Given& line) {
    return is_old(line.name) || has_old_align(line.name, line.value);
  };
  if (std::ranges::none_of(lines, is_old_line)) return std::nullopt;
  ConvertedSettings converted;
  join_switch("head-refit", kRefitPasses, lines, converted.left_out);
  join_switch("head-align", kAlignment, lines, converted.left_out);
  turn_ewc_into_a_penalty(lines);
  convert_align(lines, converted.left_out);
  std::map<std::string_view, KindLines> kinds;
  std::map<std::string, std::size_t> place;  // of a setting among the converted
  for (const Given& line : lines) {
    const OldKey* const old = find_by_old_name(line.name);
    const std::string name(old == nullptr ? std::string_view(line.name) : old->setting);
    const auto known = default_kinds().find(name);
    if (known != default_kinds().end()) {
      KindLines& kind = kinds.try_emplace(known->first, KindLines{known->first}).first->second;
      if (kind.kind.text.empty()) kind.kind.text = known->second;
      if (old == nullptr)
        kind.add_text(line);
      else
        kind.add_old(*old, line);
    }
    const auto [found, is_new] = place.emplace(name, converted.settings.size());
    if (is_new)
      converted.settings.push_back({name, line.value, line.file, line.source});
    else if (old == nullptr)
      converted.settings[found->second] = {name, line.value, line.file, line.source};
  }
  for (const auto& [setting, kind] : kinds)
    converted.settings[place.at(std::string(setting))].value = kind.text(converted.left_out);
  return converted;
}

std::string with_todays_settings(const std::string& recorded_json) {
  const Json recorded = Json::parse(recorded_json, nullptr, /*allow_exceptions=*/false);
  if (!recorded.is_object()) return recorded_json;
  std::vector<Given> lines;
  for (const auto& [name, value] : recorded.items())
    lines.push_back({name, json_value_text(value)});
  const auto converted = convert_old_settings(lines);
  if (!converted) return with_later_keys(recorded, recorded_json);
  Json made = Json::object();
  for (const Given& given : converted->settings) {
    const auto found = recorded.find(given.name);
    const bool is_same = found != recorded.end() && json_value_text(*found) == given.value;
    made[given.name] = is_same ? *found : Json(given.value);
  }
  // Those that it doesn't know came later: each was as it is by default.
  std::vector<std::string> unused;
  for (const auto& [setting, kind] : default_kinds())
    if (setting != "progress" && !made.contains(setting))  // which records leave out
      made[std::string(setting)] = KindLines{setting, {std::string(kind)}}.text(unused);
  if (made.contains("lanes") && made["lanes"].is_string() && made["lanes"] != "ranks")
    made["lanes"] = Json::parse(made["lanes"].get<std::string>(), nullptr, false);
  return made.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace palimpsest
