// The table of classifiers: a row for each, in the order of the help. The file of a kind NAME
// defines NAME_classifier(), with its name, help and keys.
#include "classifiers.h"

#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_CLASSIFIERS(ROW) \
  ROW(local_classifier) \
  ROW(ridge_classifier)

// clang-format on

using Row = ClassifierKind;
PALIMPSEST_CLASSIFIERS(PALIMPSEST_DECLARE_ROW)

const PartTable<Classifier>& classifiers() {
  static const PartTable<Classifier> table("classifier",
                                           {PALIMPSEST_CLASSIFIERS(PALIMPSEST_CALL_ROW)});
  return table;
}

}  // namespace palimpsest
