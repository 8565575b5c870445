#include <cctype>

#include "palimpsest/config/keys.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// "RULE" of "merge rule".
std::string placeholder_of(const KindTable& kinds) {
  std::string word;
  for (const char letter : kinds.noun.substr(kinds.noun.rfind(' ') + 1)) {
    word += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return word;
}

}  // namespace

Key key_of_part(Key row, const KindTable& kinds, std::function<void(std::string_view text)> check) {
  constexpr std::size_t kColumns = 70;
  row.choices = kind_names(kinds);
  row.takes = concat(placeholder_of(kinds), "[:key=value,...]:");
  row.more_help = kinds_help(kinds, kColumns);
  row.read = [&kinds, check = std::move(check)](std::string_view text) {
    const KindSettings settings = parse_kind(kinds, text);
    if (check) check(text);
    return settings.text();
  };
  return row;
}

}  // namespace palimpsest
