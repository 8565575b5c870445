// The table of perturbations: a row for each, in the order of the help. The file of a kind NAME
// defines NAME_perturbation(), with its name, help and keys.
#include "perturbations.h"

#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_PERTURBATIONS(ROW) \
  ROW(sign_perturbation) \
  ROW(none_perturbation) \
  ROW(gaussian_perturbation) \
  ROW(stratified_perturbation) \
  ROW(uniform_perturbation)

// clang-format on

PALIMPSEST_PART_TABLE(perturbations, Perturbation, "perturbation", PALIMPSEST_PERTURBATIONS)

}  // namespace palimpsest
