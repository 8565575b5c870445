// The table of penalties: a row for each, in the order of the help. The file of a kind NAME defines
// NAME_penalty(), with its name, help and keys.
#include "penalties.h"

#define PALIMPSEST_PENALTIES(ROW) \
  ROW(none)                       \
  ROW(ewc)

namespace palimpsest {

#define PALIMPSEST_DECLARE(name) PenaltyKind name##_penalty();
#define PALIMPSEST_CALL(name) name##_penalty(),

PALIMPSEST_PENALTIES(PALIMPSEST_DECLARE)

const PartTable<Penalty>& penalties() {
  static const PartTable<Penalty> table("penalty", {PALIMPSEST_PENALTIES(PALIMPSEST_CALL)});
  return table;
}

#undef PALIMPSEST_DECLARE
#undef PALIMPSEST_CALL

std::unique_ptr<Penalty> make_penalty(const RunConfig& config) {
  if (config.ewc > 0) return penalties().make("ewc", {{"weight", config.ewc}});
  return penalties().make(config.penalty);
}

}  // namespace palimpsest
