// The table of objectives: a row for each, in the order of the help. The file of a kind NAME
// defines NAME_objective(), with its name, help and keys.
#include "objectives.h"

#define PALIMPSEST_OBJECTIVES(ROW) ROW(classes)

namespace palimpsest {

#define PALIMPSEST_DECLARE(name) ObjectiveKind name##_objective();
#define PALIMPSEST_CALL(name) name##_objective(),

PALIMPSEST_OBJECTIVES(PALIMPSEST_DECLARE)

const PartTable<Objective>& objectives() {
  static const PartTable<Objective> table("objective", {PALIMPSEST_OBJECTIVES(PALIMPSEST_CALL)});
  return table;
}

#undef PALIMPSEST_DECLARE
#undef PALIMPSEST_CALL

std::unique_ptr<Objective> make_objective(const RunConfig& config) {
  return objectives().make(config.objective);
}

}  // namespace palimpsest
