#include "palimpsest/kinds/kind_table.h"

#include <algorithm>
#include <map>

#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::string key_text(const SettingSpec& spec) {
  std::string text = concat(spec.name, "=", allowed(spec));
  if (spec.default_value) text += concat("; ", value_text(*spec.default_value), " if not given");
  return concat(text, spec.help.empty() ? "" : ". ", spec.help);
}

}  // namespace

KindSettings parse_kind(const KindTable& table, std::string_view text) {
  const std::string_view name = kind_in(text);
  for (const Kind& kind : table.kinds)
    if (kind.name == name) return parse_kind_settings(table.noun, kind.name, kind.keys, text);
  const std::vector<std::string_view> names = kind_names(table);
  const std::string hint = name_hint(name, names, "");
  throw UsageError(concat(table.noun, " '", name, "' is not known", hint.empty() ? "" : "; ", hint,
                          hint.ends_with('?') ? " Known: " : ". Known: ", join(names)));
}

std::vector<KindSettings> parse_kinds(const KindTable& table, std::string_view text) {
  std::vector<KindSettings> all;
  for (const std::string& part : kinds_in(text)) {
    if (part.empty()) {
      throw UsageError(concat("'", text, "': expected a ", table.noun,
                              " between two commas and at each end, found nothing"));
    }
    KindSettings kind = parse_kind(table, part);
    const std::string same = kind.text();
    if (std::ranges::find(all, same, &KindSettings::text) != all.end())
      throw UsageError(concat(table.noun, " '", same, "' is given twice; name each once"));
    all.push_back(std::move(kind));
  }
  return all;
}

std::vector<std::string_view> kind_names(const KindTable& table) {
  std::vector<std::string_view> names;
  for (const Kind& kind : table.kinds) names.push_back(kind.name);
  return names;
}

std::string kinds_help(const KindTable& table, std::size_t width) {
  const int columns = static_cast<int>(width);
  std::string help;
  std::map<std::string, std::string_view> explained;  // texts of keys, and of which kind
  for (const Kind& kind : table.kinds) {
    help += wrap(concat(kind.name, ": ", kind.help), columns, 2, 0) + "\n";
    for (const SettingSpec& spec : kind.keys) {
      const std::string text = key_text(spec);
      const auto [first, is_new] = explained.emplace(text, kind.name);
      const std::string line = is_new ? text : concat(spec.name, ": as of ", first->second);
      help += concat(spec.effect == Effect::kOperational ? " *" : "  ", wrap(line, columns, 4, 2),
                     "\n");
    }
  }
  return help;
}

}  // namespace palimpsest
