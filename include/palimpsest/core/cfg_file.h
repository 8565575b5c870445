#pragma once
// Files of lines 'name = value', as settings and machines have them. Whatever isn't such a line, a
// comment or blank is refused with its number.
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

struct CfgLine {
  std::string name, value;
  int number = 0;  // of the line, from 1
};

// A comment is a line that begins with #, or what follows a blank and #. A value may be in single
// or double quotes, which are taken off; inside them # and blanks are part of it. "~" at the
// beginning of a value is a home folder (with_home_folder()). Throws UsageError that begins with
// `source` and names the line: no '=', a section, a name given twice, a variable ($HOME) or command
// (`date`) outside single quotes; and of values without quotes: a quote, a no-break or zero-width
// space, ";", "//", "--" or "=" behind a blank, a comma, semicolon or backslash at the end.
std::vector<CfgLine> parse_cfg(std::string_view text, const std::string& source);

// A value as such a file has it: as it is where that reads back, otherwise in quotes. Throws
// UsageError for what can't be written on a line.
std::string cfg_value(const std::string& value);

}  // namespace palimpsest
