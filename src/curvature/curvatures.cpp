// The table of curvatures: a row for each, in the order of the help. The file of a kind NAME
// defines NAME_curvature(), with its name, help and keys.
#include "curvatures.h"

#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_CURVATURES(ROW) \
  ROW(empirical_curvature) \
  ROW(expected_sampled_curvature) \
  ROW(expected_exact_curvature) \
  ROW(gram_curvature)

// clang-format on

PALIMPSEST_PART_TABLE(curvatures, Curvature, "curvature", PALIMPSEST_CURVATURES)

}  // namespace palimpsest
