#pragma once
// The kinds that a part of a method can be of: one row each. What reads, explains and makes them is
// the same for every part.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/kinds/kind_settings.h"

namespace palimpsest {

// What other programs or papers call a kind, in lower case, and the text that means the same here:
// for a hint.
struct OtherName {
  std::string_view name, text;
};

struct Kind {
  std::string_view name;
  std::string_view help;  // one sentence: what it does, and from where it comes
  std::vector<SettingSpec> keys = {};
  std::vector<OtherName> other_names = {};
};

struct KindTable {
  std::string_view noun;  // what a message calls a kind, as in "merge rule"
  std::vector<Kind> kinds;
};

// Of NAME[:key=value,...]. Throws UsageError: an unknown name or key (with the nearest known one),
// a value that is not possible (with what is).
KindSettings parse_kind(const KindTable& table, std::string_view text);

// Of a list of kinds, at least one. Throws UsageError likewise, and where two are the same.
std::vector<KindSettings> parse_kinds(const KindTable& table, std::string_view text);

std::vector<std::string_view> kind_names(const KindTable& table);

// All kinds, a paragraph each, with a line for each key, in lines of at most `width` characters. *
// marks a key that may change when a run is resumed.
std::string kinds_help(const KindTable& table, std::size_t width);

// A row of a part's table, with what makes a Part of that kind. Throws UsageError where settings
// contradict one another.
template <typename Part>
struct PartKind {
  std::string_view name;
  std::string_view help;
  std::vector<SettingSpec> keys = {};
  std::function<std::unique_ptr<Part>(KindSettings)> make;
  std::vector<OtherName> other_names = {};
};

// The usual `make`.
template <typename Made>
std::unique_ptr<Made> make_kind(KindSettings settings) {
  return std::make_unique<Made>(std::move(settings));
}

template <typename Part>
class PartTable : public KindTable {
 public:
  PartTable(std::string_view part, std::vector<PartKind<Part>> rows) : KindTable{part, {}} {
    for (PartKind<Part>& row : rows) {
      kinds.push_back({row.name, row.help, std::move(row.keys), std::move(row.other_names)});
      makers_.push_back(std::move(row.make));
    }
  }

  // Throws UsageError as parse_kind.
  std::unique_ptr<Part> make(std::string_view text) const { return make(parse_kind(*this, text)); }

  // Of a list, as parse_kinds.
  std::vector<std::unique_ptr<Part>> make_all(std::string_view text) const {
    std::vector<std::unique_ptr<Part>> parts;
    for (KindSettings& settings : parse_kinds(*this, text))
      parts.push_back(make(std::move(settings)));
    return parts;
  }

 private:
  std::unique_ptr<Part> make(KindSettings settings) const {
    std::size_t row = 0;
    while (kinds[row].name != settings.name()) ++row;
    return makers_[row](std::move(settings));
  }

  std::vector<std::function<std::unique_ptr<Part>(KindSettings)>> makers_;
};

}  // namespace palimpsest
