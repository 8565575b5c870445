// The table of objectives: a row for each, in the order of the help. The file of a kind NAME
// defines NAME_objective(), with its name, help and keys.
#include "objectives.h"

#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_OBJECTIVES(ROW) \
  ROW(classes_objective) \
  ROW(cosface_objective)

// clang-format on

using Row = ObjectiveKind;
PALIMPSEST_OBJECTIVES(PALIMPSEST_DECLARE_ROW)

const PartTable<Objective>& objectives() {
  static const PartTable<Objective> table("objective",
                                          {PALIMPSEST_OBJECTIVES(PALIMPSEST_CALL_ROW)});
  return table;
}

}  // namespace palimpsest
