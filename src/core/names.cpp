#include "palimpsest/core/names.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <numeric>
#include <vector>

#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// U+00C0 to U+017F: the letter, and its accent below; '?' where the character isn't made of two.
constexpr std::string_view kLetters =
    "AAAAAA?CEEEEIIII?NOOOOO?"
    "?UUUUY?"
    "?aaaaaa?ceeeeiiii?nooooo?"
    "?uuuuy?y"
    "AaAaAaCcCcCcCcDd?"
    "?EeEeEeEeEeGgGgGgGgHh?"
    "?IiIiIiIiI?"
    "??JjKk?LlLlLl?"
    "?"
    "??NnNnNn?"
    "??OoOoOo?"
    "?RrRrRrSsSsSsSsTtTt?"
    "?UuUuUuUuUuUuWwYyYZzZzZz?";
constexpr std::string_view kAccents =
    "abcdhi?labchabch?dabcdh?"
    "?abchb?"
    "?abcdhi?labchabch?dabcdh?"
    "?abchb?h"
    "eeffmmbbccggkkkk?"
    "?eeffggmmkkccffggllcc?"
    "?ddeeffmmg?"
    "??ccll?bbllkk?"
    "?"
    "??bbllkk?"
    "??eeffjj?"
    "?bbllkkbbccllkkllkk?"
    "?ddeeffiijjmmcccchbbggkk?";
// U+0300, ... in UTF-8, by the letters of kAccents from 'a'.
constexpr std::array<std::string_view, 13> kMarks = {
    "\xCC\x80", "\xCC\x81", "\xCC\x82", "\xCC\x83", "\xCC\x84", "\xCC\x86", "\xCC\x87",
    "\xCC\x88", "\xCC\x8A", "\xCC\x8B", "\xCC\x8C", "\xCC\xA7", "\xCC\xA8"};
static_assert(kLetters.size() == 0x180 - 0xC0 && kAccents.size() == kLetters.size());

// No-break space, zero-width space, joiners and the byte-order mark.
constexpr std::array<std::string_view, 5> kUnseen = {"\xC2\xA0", "\xE2\x80\x8B", "\xE2\x80\x8C",
                                                     "\xE2\x80\x8D", "\xEF\xBB\xBF"};

// The position of a two-byte character in the tables; their size where it has none.
std::size_t position(std::string_view rest) {
  const auto first = static_cast<unsigned char>(rest[0]);
  if (rest.size() < 2 || first < 0xC3 || first > 0xC5) return kLetters.size();
  return (first - 0xC3U) * 64 + (static_cast<unsigned char>(rest[1]) & 0x3FU);
}

}  // namespace

// One row at a time.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string nearest_name(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view nearest;
  std::size_t too_far = (name.size() + 2) / 3 + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < too_far) {
      nearest = candidate;
      too_far = distance;
    }
  }
  return std::string(nearest);
}

std::string name_hint(std::string_view name, std::span<const std::string_view> candidates,
                      std::string_view otherwise) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string(otherwise) : "did you mean '" + nearest + "'?";
}

std::string name_list(std::span<const std::string> names, std::size_t most) {
  const std::string list = join(names.first(std::min(names.size(), most)));
  return names.size() > most ? concat(list, " and ", names.size() - most, " more") : list;
}

std::string as_it_looks(std::string_view name) {
  std::string looks;
  while (!name.empty()) {
    std::size_t unseen = 0;
    for (const std::string_view character : kUnseen) {
      if (name.starts_with(character)) unseen = character.size();
    }
    const std::size_t at = position(name);
    if (unseen > 0) {
      if (unseen == 2) looks += ' ';  // a blank, however wide
      name.remove_prefix(unseen);
    } else if (at < kLetters.size() && kLetters[at] != '?') {
      looks += kLetters[at];
      looks += kMarks[static_cast<std::size_t>(kAccents[at] - 'a')];
      name.remove_prefix(2);
    } else {
      looks += name.front();
      name.remove_prefix(1);
    }
  }
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = looks.find_first_not_of(kBlanks);
  if (first == std::string::npos) return "";
  return looks.substr(first, looks.find_last_not_of(kBlanks) - first + 1);
}

std::string with_escapes(std::string_view name) {
  std::string text;
  for (const char letter : name) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte >= 0x20 && byte < 0x7F) {
      text += letter;
      continue;
    }
    std::array<char, 5> hex{};
    std::snprintf(hex.data(), hex.size(), "\\x%02X", byte);
    text += hex.data();
  }
  return text;
}

}  // namespace palimpsest
