#pragma once
// Settings of the program that are of a kind, as the parts of the method are, but have a struct
// instead of an object: an enumeration `kind`, and a member for each key of any kind.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/config/field.h"
#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {

template <typename Settings>
struct StructKey {
  SettingSpec spec;
  Field<Settings> field;
};

// Its default is that of the struct.
template <typename Settings, typename T>
StructKey<Settings> struct_key(T Settings::*member, SettingSpec spec) {
  spec = make_row(member, std::move(spec));
  Field<Settings> field = make_field(member, spec);
  spec.default_value = field.get(Settings());
  return {std::move(spec), std::move(field)};
}

template <typename Settings>
class StructKinds : public KindTable {
 public:
  // In the order of the enumeration: the help of a kind, and the names of its keys.
  struct Row {
    std::string_view help;
    std::vector<std::string_view> keys = {};
  };

  StructKinds(std::string_view setting, std::vector<Row> rows,
              std::vector<StructKey<Settings>> keys)
      : KindTable{setting, {}}, keys_(std::move(keys)) {
    constexpr auto names = choices(Kinds{});
    for (std::size_t i = 0; i < names.size(); ++i) {
      kinds.push_back({.name = names[i], .help = rows.at(i).help});
      for (const std::string_view key : rows.at(i).keys) kinds.back().keys.push_back(at(key).spec);
    }
  }

  // Throws UsageError as parse_kind.
  Settings read(std::string_view text) const {
    const KindSettings given = parse_kind(*this, text);
    Settings settings;
    settings.kind = choice<Kinds>(given.name()).value();
    for (const SettingSpec& spec : keys(settings))
      at(spec.name).field.set(settings, given.value(spec.name));
    return settings;
  }

  // With every key of the kind.
  std::string text(const Settings& settings) const {
    std::string text(name(settings.kind));
    char separator = ':';
    for (const SettingSpec& spec : keys(settings)) {
      text +=
          separator + std::string(spec.name) + "=" + value_text(at(spec.name).field.get(settings));
      separator = ',';
    }
    return text;
  }

 private:
  using Kinds = decltype(Settings::kind);

  const std::vector<SettingSpec>& keys(const Settings& settings) const {
    return kinds[static_cast<std::size_t>(settings.kind)].keys;
  }
  const StructKey<Settings>& at(std::string_view key) const {
    for (const StructKey<Settings>& known : keys_)
      if (known.spec.name == key) return known;
    throw Error("a kind of " + std::string(noun) +
                " names a key that has no row: " + std::string(key));
  }

  std::vector<StructKey<Settings>> keys_;
};

}  // namespace palimpsest
