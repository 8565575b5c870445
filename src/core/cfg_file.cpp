#include "palimpsest/core/cfg_file.h"

#include <cctype>
#include <map>

#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The position of `mark` at the beginning or after a blank; the size of the text where there is
// none.
std::size_t find_behind_blank(std::string_view text, std::string_view mark) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with(mark) &&
        (i == 0 || kBlanks.find(text[i - 1]) != std::string_view::npos))
      return i;
  }
  return text.size();
}

void refuse_variables(std::string_view value) {
  for (std::size_t i = 0; i + 1 < value.size(); ++i) {
    const auto next = static_cast<unsigned char>(value[i + 1]);
    const bool is_variable = std::isalpha(next) != 0 || next == '_' || next == '{' || next == '(';
    if (value[i] != '`' && (value[i] != '$' || !is_variable)) continue;
    throw UsageError(concat("'", value, "': ", value[i] == '`' ? "commands" : "variables",
                            " are not replaced. Write what ", value.substr(i),
                            " means, give the setting on the command line, or put the value ",
                            "in single quotes if ", value[i], " is part of it"));
  }
}

// What other kinds of files allow, and would become part of a value in this one.
void refuse_marks(std::string_view value) {
  static constexpr std::pair<std::string_view, std::string_view> kBehindBlank[] = {
      {";", "a comment begins with #, not with ;"},
      {"//", "a comment begins with #, not with //"},
      {"--", "a line has one setting, without --"},
      {"=", "a line has one setting and one ="}};
  static constexpr std::pair<std::string_view, std::string_view> kAnywhere[] = {
      {"\"", "quotes go around a whole value"},
      {"'", "quotes go around a whole value"},
      {"\xE2\x80\x9C", "quotes are \" or '"},
      {"\xE2\x80\x9D", "quotes are \" or '"},
      {"\xE2\x80\x98", "quotes are \" or '"},
      {"\xE2\x80\x99", "quotes are \" or '"},
      {"\xC2\xA0", "there is a no-break space in it; write a usual one"},
      {"\xE2\x80\x8B", "there is a zero-width space in it; take it out"},
      {"\xEF\xBB\xBF", "there is a byte-order mark in it; take it out"}};
  const auto refuse = [&](std::string_view why) {
    throw UsageError(concat("'", value, "': ", why, ". Put the value in quotes if it is meant"));
  };
  for (const auto& [mark, why] : kAnywhere) {
    if (value.find(mark) != std::string_view::npos) refuse(why);
  }
  for (const auto& [mark, why] : kBehindBlank) {
    const std::size_t at = find_behind_blank(value, mark);
    if (at != value.size()) refuse(why);
  }
}

std::string quoted_value(std::string_view text) {
  const char quote = text.front();
  const std::size_t end = text.find(quote, 1);
  if (end == std::string_view::npos)
    throw UsageError(concat("expected a closing ", quote, ", found none in ", text));
  const std::string_view rest = text.substr(end + 1);
  if (rest.starts_with('#') || !trimmed(rest.substr(0, find_behind_blank(rest, "#"))).empty())
    throw UsageError(
        concat("expected nothing behind the closing ", quote, ", found ", trimmed(rest)));
  const std::string_view value = text.substr(1, end - 1);
  if (quote == '"') refuse_variables(value);
  return with_home_folder(value);
}

std::string read_value(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('"') || text.starts_with('\'')) return quoted_value(text);
  const std::string_view value = trimmed(text.substr(0, find_behind_blank(text, "#")));
  refuse_variables(value);
  refuse_marks(value);
  if (value.ends_with(',') || value.ends_with(';') || value.ends_with('\\')) {
    throw UsageError(concat("'", value, "' ends with ", value.back(),
                            ": a value is on one line; leave that character out, or put the "
                            "value in quotes if it is part of it"));
  }
  return with_home_folder(value);
}

CfgLine read_line(std::string_view line) {
  if (line.find('\r') != std::string_view::npos)
    throw UsageError("a carriage return inside a line: save the file with line ends of Unix");
  if (line.starts_with('['))
    throw UsageError(concat("found ", line, ": there are no sections; leave it out"));
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    const bool colon = line.find(':') != std::string_view::npos;
    throw UsageError(concat("expected 'name = value', found '", line, "'",
                            colon ? ": write = instead of the colon" : ""));
  }
  return {.name = std::string(trimmed(line.substr(0, equals))),
          .value = read_value(line.substr(equals + 1))};
}

bool reads_back(const std::string& written, const std::string& value) {
  try {
    return read_value(written) == value;
  } catch (const UsageError&) {
    return false;
  }
}

}  // namespace

std::vector<CfgLine> parse_cfg(std::string_view text, const std::string& source) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (text.find('\0') != std::string_view::npos) {
    throw UsageError(concat(source, ": expected lines 'name = value' in UTF-8, found zero bytes: ",
                            "save the file as UTF-8"));
  }
  std::vector<CfgLine> lines;
  std::map<std::string, int, std::less<>> line_by_name;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = trimmed(line);
    const bool is_comment = line.starts_with('#') && line.find('\r') == std::string_view::npos;
    if (line.empty() || is_comment) continue;
    try {
      CfgLine& read = lines.emplace_back(read_line(line));
      read.number = number;
      const auto [first, is_new] = line_by_name.emplace(read.name, number);
      if (!is_new) {
        throw UsageError(concat("'", read.name, "' is given twice (first in line ", first->second,
                                "); keep one"));
      }
    } catch (const UsageError& error) {
      throw UsageError(concat(source, ": line ", number, ": ", error.what()));
    }
  }
  return lines;
}

std::string cfg_value(const std::string& value) {
  if (value.starts_with('~')) return cfg_value("./" + value);
  if (value.find_first_of("\r\n") == std::string::npos) {
    for (const std::string& written : {value, "'" + value + "'", '"' + value + '"'}) {
      if (reads_back(written, value)) return written;
    }
  }
  throw UsageError("a value has no line break, not both kinds of quotes, and no ' with $ or `");
}

}  // namespace palimpsest
