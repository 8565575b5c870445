#pragma once
// A comparison as tables of text, for terminal and page alike.
#include <string>
#include <vector>

#include "html.h"
#include "palimpsest/report/comparison.h"

namespace palimpsest {

struct TextTable {
  std::vector<std::string> heading;
  Rows rows;
};

// "43.5 ± 1.2", in percent or points of percent.
std::string spread_text(const Spread& spread, bool with_sign = false);

// A line per group; a line per measure, over the groups from `first` on, `count` at most; a line
// per measure over the pairs of groups; a line per run.
TextTable groups_table(const RunComparison& comparison);
TextTable measures_table(const RunComparison& comparison, std::size_t first, std::size_t count);
TextTable differences_table(const RunComparison& comparison, std::size_t first, std::size_t count);
TextTable runs_table(const RunComparison& comparison);

}  // namespace palimpsest
