// The table of perturbations: a row for each, in the order of the help. The file of a kind NAME
// defines NAME_perturbation(), with its name, help and keys.
#include "perturbations.h"

#define PALIMPSEST_PERTURBATIONS(ROW) \
  ROW(sign)                           \
  ROW(none)                           \
  ROW(gaussian)                       \
  ROW(stratified)                     \
  ROW(uniform)

namespace palimpsest {

#define PALIMPSEST_DECLARE(name) PerturbationKind name##_perturbation();
#define PALIMPSEST_CALL(name) name##_perturbation(),

PALIMPSEST_PERTURBATIONS(PALIMPSEST_DECLARE)

const PartTable<Perturbation>& perturbations() {
  static const PartTable<Perturbation> table("perturbation",
                                             {PALIMPSEST_PERTURBATIONS(PALIMPSEST_CALL)});
  return table;
}

#undef PALIMPSEST_DECLARE
#undef PALIMPSEST_CALL

std::unique_ptr<Perturbation> make_perturbation(const RunConfig& config) {
  return perturbations().make(config.perturbation, {{"epsilon", config.epsilon}});
}

}  // namespace palimpsest
