// The table of curvatures: a row for each, in the order of the help. The file of a kind NAME
// defines NAME_curvature(), with its name, help and keys.
#include "curvatures.h"

#define PALIMPSEST_CURVATURES(ROW) \
  ROW(empirical)                   \
  ROW(expected_sampled)            \
  ROW(expected_exact)              \
  ROW(gram)

namespace palimpsest {

#define PALIMPSEST_DECLARE(name) CurvatureKind name##_curvature();
#define PALIMPSEST_CALL(name) name##_curvature(),

PALIMPSEST_CURVATURES(PALIMPSEST_DECLARE)

const PartTable<Curvature>& curvatures() {
  static const PartTable<Curvature> table("curvature", {PALIMPSEST_CURVATURES(PALIMPSEST_CALL)});
  return table;
}

#undef PALIMPSEST_DECLARE
#undef PALIMPSEST_CALL

std::unique_ptr<Curvature> make_curvature(const RunConfig& config) {
  return curvatures().make(config.curvature, {{"scale", config.fisher_scale}});
}

}  // namespace palimpsest
