#pragma once
// Cells of comma-separated values (RFC 4180).
#include <string>

namespace palimpsest {

// Quoted where it has to be.
inline std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char character : text) quoted += character == '"' ? "\"\"" : std::string(1, character);
  return quoted + "\"";
}

}  // namespace palimpsest
