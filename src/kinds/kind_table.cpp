#include "palimpsest/kinds/kind_table.h"

#include <map>
#include <sstream>

#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::string key_text(const Parameter& parameter) {
  std::string text = concat(parameter.name, "=", allowed(parameter));
  if (parameter.standard) text += concat("; ", value_text(*parameter.standard), " if not given");
  return concat(text, parameter.help.empty() ? "" : ". ", parameter.help);
}

// `text` in lines of at most `width`, which begin as given: the first, and the others.
std::string wrapped(const std::string& text, std::size_t width, const std::string& first,
                    const std::string& others) {
  std::istringstream words(text);
  std::string lines, line;
  for (std::string word; words >> word;) {
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines += line + "\n";
      line = others + word;
    } else {
      line += (line.empty() ? first : " ") + word;
    }
  }
  return lines + line + "\n";
}

}  // namespace

KindSettings parse_kind(const KindTable& table, std::string_view text) {
  const std::string_view name = kind_in(text);
  for (const Kind& kind : table.kinds)
    if (kind.name == name) return parse_kind_settings(table.noun, kind.name, kind.parameters, text);
  std::string all;
  const std::vector<std::string_view> names = kind_names(table);
  for (const std::string_view known : names) all += concat(all.empty() ? "" : ", ", known);
  throw UsageError(concat(table.noun, " '", name, "' is not known; ",
                          name_hint(name, names, "see train --help."), " Known: ", all));
}

std::vector<std::string_view> kind_names(const KindTable& table) {
  std::vector<std::string_view> names;
  for (const Kind& kind : table.kinds) names.push_back(kind.name);
  return names;
}

std::string kinds_help(const KindTable& table, std::size_t width) {
  std::string help;
  std::map<std::string, std::string_view> explained;  // texts of keys, and of which kind
  for (const Kind& kind : table.kinds) {
    help += wrapped(concat(kind.name, ": ", kind.help), width, "", "  ");
    for (const Parameter& parameter : kind.parameters) {
      const std::string text = key_text(parameter);
      const auto [first, is_new] = explained.emplace(text, kind.name);
      help += wrapped(is_new ? text : concat(parameter.name, ": as of ", first->second), width,
                      parameter.effect == Effect::kOperational ? " *" : "  ", "    ");
    }
  }
  return help;
}

}  // namespace palimpsest
