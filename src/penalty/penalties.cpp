// The table of penalties: a row for each, in the order of the help. The file of a kind NAME defines
// NAME_penalty(), with its name, help and keys.
#include "palimpsest/kinds/rows.h"
#include "palimpsest/penalty/penalty.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_PENALTIES(ROW) \
  ROW(none_penalty) \
  ROW(ewc_penalty)

// clang-format on

PALIMPSEST_PART_TABLE(penalties, Penalty, "penalty", PALIMPSEST_PENALTIES)

}  // namespace palimpsest
