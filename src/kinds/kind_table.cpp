#include "palimpsest/kinds/kind_table.h"

#include <algorithm>
#include <sstream>

#include "palimpsest/core/error.h"
#include "palimpsest/core/nearest_name.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::string key_text(const Parameter& parameter) {
  std::string text = concat(parameter.name, " (", allowed(parameter));
  if (parameter.standard) text += concat("; ", value_text(*parameter.standard), " if not given");
  return text + ")";
}

// `text` in lines of at most `width`, the second and further ones indented.
std::string wrapped(const std::string& text, std::size_t width) {
  std::istringstream words(text);
  std::string lines, line;
  for (std::string word; words >> word;) {
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines += line + "\n";
      line = "  " + word;
    } else {
      line += (line.empty() ? "" : " ") + word;
    }
  }
  return lines + line + "\n";
}

}  // namespace

KindSettings parse_kind(const KindTable& table, std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  for (const Kind& kind : table.kinds) {
    if (kind.name != name) continue;
    const bool has_settings = colon != std::string_view::npos;
    const std::string_view settings = has_settings ? text.substr(colon + 1) : "";
    if (has_settings && settings.empty()) {
      throw UsageError(concat(table.noun, " '", text, "': expected key=value behind the colon"));
    }
    return parse_kind_settings(table.noun, kind.name, kind.parameters, settings);
  }
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

bool has_parameter(const KindTable& table, std::string_view text, std::string_view key) {
  const std::string_view name = parse_kind(table, text).name();
  const auto kind = std::ranges::find(table.kinds, name, &Kind::name);
  return std::ranges::find(kind->parameters, key, &Parameter::name) != kind->parameters.end();
}

std::string kinds_help(const KindTable& table, std::size_t width) {
  std::string help;
  for (const Kind& kind : table.kinds) {
    std::string text = concat(kind.name, ": ", kind.help);
    std::string_view before = " Keys: ";
    for (const Parameter& parameter : kind.parameters) {
      text += concat(before, key_text(parameter));
      before = ", ";
    }
    help += wrapped(text + (kind.parameters.empty() ? "" : "."), width);
  }
  return help;
}

}  // namespace palimpsest
