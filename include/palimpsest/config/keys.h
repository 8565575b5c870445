#pragma once
// Rows of the table of settings: those of config, and what the folders that have some themselves
// make theirs with.
#include <limits>
#include <utility>
#include <vector>

#include "palimpsest/config/key_table.h"
#include "palimpsest/config/struct_kinds.h"

namespace palimpsest {

inline constexpr double kUnbounded = std::numeric_limits<double>::infinity();
inline constexpr double kMost =
    1e9;  // of what is counted: a product of two fits 64 bits, one of three doesn't

// Headings in --help under which several folders have rows.
inline constexpr std::string_view kTrainingGroup = "Training one task";
inline constexpr std::string_view kMethodGroup = "The method, by parts";

using Verbs = std::vector<std::string_view>;
inline const Verbs kPlanned = {"plan", "doctor"};
inline const Verbs kEverywhere = {"plan", "doctor", "eval", "predict", "generate"};

// The row of a member of RunConfig. With `kinds` it is the text of a part of the method.
template <typename T>
Key key(std::string_view group, T RunConfig::*member, SettingSpec spec, Verbs verbs = kPlanned) {
  spec = make_row(member, std::move(spec));
  Field<RunConfig> field = make_field(member, spec);
  return {std::move(spec), group, std::move(field), std::move(verbs)};
}

// The row of a member that is a struct of a kind. `kinds` must outlive it.
template <typename Settings>
requires std::is_enum_v<decltype(Settings::kind)> Key key(std::string_view group,
                                                          Settings RunConfig::*member,
                                                          const StructKinds<Settings>& kinds,
                                                          SettingSpec spec,
                                                          Verbs verbs = kPlanned) {
  spec.type = Type::kKind;
  spec.kinds = &kinds;
  Field<RunConfig> field = {
      [member, &kinds](const RunConfig& config) { return kinds.text(config.*member); },
      [member, &kinds](RunConfig& config, const SettingValue& value) {
        config.*member = kinds.read(std::get<std::string>(value));
      }};
  return {std::move(spec), group, std::move(field), std::move(verbs)};
}

std::vector<Key> input_keys();
std::vector<Key> training_keys();   // except for the parts of the method
std::vector<Key> measuring_keys();  // what is measured beside the method
std::vector<Key> running_keys();

}  // namespace palimpsest
