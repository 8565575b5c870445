#pragma once
// checkpoints_schema/ as it follows from the descriptions of records: what `ninja schemas` writes.
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

struct Schema {
  std::string name;   // "task"; "state-1", "state-2" of what earlier versions have in its place
  std::string json;   // <name>.json
  std::string table;  // of the fields, in <name>.md
};
std::vector<Schema> schemas();

// The page with this table in the place of its table, between the lines kTableBegin and kTableEnd.
// Throws InputError where it has none.
inline constexpr std::string_view kTableBegin =
    "<!-- made by `ninja schemas` from src/format/record_fields.cpp -->\n";
inline constexpr std::string_view kTableEnd = "<!-- end of what was made -->\n";
std::string with_table(std::string_view page, std::string_view table);

}  // namespace palimpsest
