// The table of penalties: a row for each, in the order of the help. The file of a kind NAME defines
// NAME_penalty(), with its name, help and keys.
#include "penalties.h"

#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_PENALTIES(ROW) \
  ROW(none_penalty) \
  ROW(ewc_penalty)

// clang-format on

using Row = PenaltyKind;
PALIMPSEST_PENALTIES(PALIMPSEST_DECLARE_ROW)

const PartTable<Penalty>& penalties() {
  static const PartTable<Penalty> table("penalty", {PALIMPSEST_PENALTIES(PALIMPSEST_CALL_ROW)});
  return table;
}

}  // namespace palimpsest
