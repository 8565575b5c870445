#include "palimpsest/kinds/old_settings.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/kind_settings.h"

namespace palimpsest {
namespace {

using Json = nlohmann::ordered_json;
using Settings = std::map<std::string, std::string>;

// A key of some kinds of a setting, as it was when it had its own setting, or none.
struct OldKey {
  std::string_view setting;
  std::vector<std::string_view> kinds;
  std::string_view key, old_name, standard;
  bool is_operational = false;  // records leave it out
};

const std::vector<std::string_view> kPerturbed = {"sign", "gaussian", "stratified"};
const std::vector<std::string_view> kCurvatures = {"empirical", "expected-sampled",
                                                   "expected-exact", "gram"};

// In the order in which a full text has the keys.
const std::vector<OldKey> kOldKeys = {
    {"image-transform", {"resize-crop"}, "size", "image-size", "224"},
    {"image-transform", {"resize-crop"}, "crop", "crop-share", "0"},
    {"image-transform", {"resize-crop"}, "interpolation", "interpolation", "auto"},
    {"image-transform", {"resize-crop"}, "normalisation", "normalisation", "backbone"},
    {"augmentation",
     {"crop-flip", "crop-flip-jitter", "rand-augment"},
     "min-scale",
     "crop-scale-min",
     "0.08"},
    {"augmentation", {"crop-flip-jitter"}, "jitter", "colour-jitter", "0.4"},
    {"augmentation", {"rand-augment"}, "operations", "rand-augment-operations", "2"},
    {"augmentation", {"rand-augment"}, "magnitude", "rand-augment-magnitude", "9"},
    {"schedule", {"multistep"}, "milestones", "milestones", "0.5+0.8"},
    {"schedule", {"multistep"}, "factor", "milestone-factor", "0.1"},
    {"schedule", {"constant", "cosine", "multistep"}, "warmup", "warmup-steps", "0"},
    {"nonfinite", {"skip"}, "limit", "nonfinite-limit", "10"},
    {"adapter", {"lora"}, "rank", "lora-rank", "10"},
    {"adapter", {"lora"}, "alpha", "lora-alpha", "10"},
    {"adapter", {"lora", "none"}, "targets", "lora-targets", "key+value"},
    {"adapter", {"lora"}, "a", "", "kaiming"},
    {"objective", {"cosface"}, "margin", "", "0.35"},
    {"objective", {"cosface"}, "scale", "", "64"},
    {"perturbation", kPerturbed, "epsilon", "epsilon", "0.5"},
    {"penalty", {"ewc"}, "weight", "", "1"},
    {"merge", {"closed-form"}, "by", "", "global"},
    {"merge", {"closed-form"}, "shrink", "", "0"},
    {"curvature", kCurvatures, "scale", "fisher-scale", "secant"},
    {"head", {"cosine", "prototype"}, "scale", "head-scale", "16"},
    {"classifier", {"local"}, "refit", "head-refit", "0"},
    {"classifier", {"local"}, "align", "head-align", "0"},
    {"device", {"auto", "cpu", "cuda"}, "threads", "threads", "1"},
    {"device", {"auto", "cuda"}, "share", "share-device", "false", true},
    {"device", {"auto", "cuda"}, "graphs", "cuda-graphs", "true", true},
    {"progress", {"auto", "bar", "plain"}, "every", "log-every", "50", true},
};

// Of settings that have old keys: what they were by default.
const std::map<std::string_view, std::string_view> kDefaultKinds = {
    {"image-transform", "resize-crop"},
    {"augmentation", "crop-flip"},
    {"schedule", "cosine"},
    {"nonfinite", "stop"},
    {"adapter", "lora"},
    {"objective", "classes"},
    {"perturbation", "sign"},
    {"penalty", "none"},
    {"merge", "closed-form"},
    {"curvature", "empirical"},
    {"head", "linear"},
    {"classifier", "local"},
    {"device", "auto"},
    {"progress", "auto"}};

// Those that gave two settings their meaning, or none.
const std::vector<Spelling> kOthers = {{"head-refit-epochs", "local:refit=20"},
                                       {"head-align-epochs", "local:align=5"},
                                       {"ewc", "ewc:weight=1"}};

bool is_of(const OldKey& key, std::string_view kind) {
  return std::ranges::find(key.kinds, kind) != key.kinds.end();
}

// Lists were written with commas.
std::string list_text(std::string_view text) {
  std::string joined;
  for (const char letter : text)
    if (letter != ' ') joined += letter == ',' ? '+' : letter;
  return joined;
}

// Whether the whole text is a number, and that is 0.
bool is_zero(std::string_view text) {
  double number = 1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number == 0;
}

std::optional<std::string> take(Settings& settings, std::string_view name) {
  const auto found = settings.find(std::string(name));
  if (found == settings.end()) return std::nullopt;
  std::string value = std::move(found->second);
  settings.erase(found);
  return value;
}

bool is_old(std::string_view name) {
  return std::ranges::any_of(kOldKeys, [&](const OldKey& key) { return key.old_name == name; }) ||
         std::ranges::any_of(kOthers, [&](const Spelling& other) { return other.setting == name; });
}

// A switch and a number of passes, as one number.
void join_switch(Settings& settings, const std::string& name, const std::string& standard) {
  const std::optional<std::string> is_on = take(settings, name);
  const std::string passes = take(settings, name + "-epochs").value_or(standard);
  if (is_on) settings[name] = *is_on == "true" ? passes : *is_on == "false" ? "0" : *is_on;
}

void join_settings(Settings& settings) {
  join_switch(settings, "head-refit", "20");
  join_switch(settings, "head-align", "5");
  const std::optional<std::string> ewc = take(settings, "ewc");
  if (!ewc || is_zero(*ewc)) return;
  const auto penalty = settings.find("penalty");
  if (penalty != settings.end() && penalty->second != "none") {
    throw UsageError(concat("ewc = ", *ewc, " is a penalty, and penalty = ", penalty->second,
                            " names one: leave one of them out"));
  }
  settings["penalty"] = concat("ewc:weight=", *ewc);
}

// The value of a key, from the text of its kind and from its old setting, which is taken out.
std::optional<std::string> value_of(const OldKey& key, std::string_view text, Settings& settings) {
  const std::string given = key_in(text, key.key);
  std::optional<std::string> old;
  if (!key.old_name.empty()) old = take(settings, key.old_name);
  if (old && key.standard.find('+') != key.standard.npos) old = list_text(*old);
  if (given.empty()) {
    if (!old && key.is_operational) return std::nullopt;
    return old.value_or(std::string(key.standard));
  }
  if (!old || *old == given || *old == key.standard) return given;
  if (given == key.standard) return old;
  throw UsageError(concat(key.setting, " = ", text, " and ", key.old_name, " = ", *old,
                          " say different things: leave one of them out"));
}

// `text` with all keys of its kind.
std::string full_text(std::string_view setting, const std::string& text, Settings& settings) {
  const std::string kind(kind_in(text));
  std::vector<std::pair<std::string, std::string>> keys;
  for (const OldKey& key : kOldKeys) {
    if (key.setting != setting || !is_of(key, kind)) continue;
    if (const auto value = value_of(key, text, settings)) keys.emplace_back(key.key, *value);
  }
  std::string_view rest = std::string_view(text).substr(std::min(kind.size() + 1, text.size()));
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const std::string key(part.substr(0, part.find('=')));
    const bool is_known =
        std::ranges::any_of(keys, [&](const auto& one) { return one.first == key; });
    if (!is_known) keys.emplace_back(key, part.substr(std::min(key.size() + 1, part.size())));
  }
  std::string full = kind;
  for (const auto& [key, value] : keys) full += concat(full == kind ? ':' : ',', key, '=', value);
  return full;
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return value_text(value.get<double>());
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& part : value) text += concat(text.empty() ? "" : ",", text_of(part));
  return text;
}

}  // namespace

std::optional<Spelling> todays_spelling(std::string_view old_name, std::string_view value) {
  for (const OldKey& key : kOldKeys) {
    if (key.old_name.empty() || key.old_name != old_name) continue;
    std::string text(value);
    if (old_name == "head-refit" || old_name == "head-align")
      text = value == "false" ? "0" : old_name == "head-refit" ? "20" : "5";
    if (text.empty()) text = key.standard;
    if (key.standard.find('+') != key.standard.npos) text = list_text(text);
    const std::string_view usual = kDefaultKinds.at(key.setting);
    const std::string_view kind = is_of(key, usual) ? usual : key.kinds.front();
    return Spelling{std::string(key.setting), concat(kind, ':', key.key, '=', text)};
  }
  for (const Spelling& other : kOthers) {
    if (other.setting != old_name) continue;
    if (old_name == "ewc" && is_zero(value)) return Spelling{"penalty", "none"};
    const std::string kind = other.value.substr(0, other.value.find('=') + 1);
    return Spelling{old_name == "ewc" ? "penalty" : "classifier",
                    value.empty() ? other.value : concat(kind, value)};
  }
  return std::nullopt;
}

bool convert_old_settings(Settings& settings) {
  if (std::ranges::none_of(settings, [](const auto& one) { return is_old(one.first); }))
    return false;
  join_settings(settings);
  for (const auto& [setting, standard] : kDefaultKinds) {
    const auto has_old_key = [&, &name = setting](const OldKey& key) {
      return key.setting == name && !key.old_name.empty() &&
             settings.contains(std::string(key.old_name));
    };
    const std::optional<std::string> text = take(settings, setting);
    if (!text && std::ranges::none_of(kOldKeys, has_old_key)) continue;
    const std::string full = full_text(setting, text.value_or(std::string(standard)), settings);
    for (const OldKey& key : kOldKeys)  // of other kinds: without a meaning in this one
      if (key.setting == setting && !key.old_name.empty()) take(settings, key.old_name);
    settings[std::string(setting)] = full;
  }
  return true;
}

std::string with_todays_settings(const std::string& recorded_json) {
  const Json recorded = Json::parse(recorded_json, nullptr, /*allow_exceptions=*/false);
  if (!recorded.is_object()) return recorded_json;
  Settings settings;
  for (const auto& [name, value] : recorded.items()) settings[name] = text_of(value);
  const Settings before = settings;
  if (!convert_old_settings(settings)) return recorded_json;
  Json made = Json::object();
  for (const auto& [name, value] : recorded.items()) {
    const std::string setting = is_old(name) ? todays_spelling(name, "")->setting : name;
    const auto found = settings.find(setting);
    if (found == settings.end() || made.contains(setting)) continue;
    const bool is_same = setting == name && found->second == before.at(name);
    made[setting] = is_same ? value : Json(found->second);
  }
  if (made.contains("lanes") && made["lanes"].is_string() && made["lanes"] != "ranks")
    made["lanes"] = Json::parse(made["lanes"].get<std::string>(), nullptr, false);
  return made.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace palimpsest
