// The table of heads: a row for each, in the order of the help. The file of a kind NAME defines
// NAME_head(), with its name, help and keys.
#include "head_kinds.h"

#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_HEAD_KINDS(ROW) \
  ROW(linear_head) \
  ROW(cosine_head) \
  ROW(prototype_head)

// clang-format on

using Row = HeadRow;
PALIMPSEST_HEAD_KINDS(PALIMPSEST_DECLARE_ROW)

const PartTable<HeadKind>& head_kinds() {
  static const PartTable<HeadKind> table("head", {PALIMPSEST_HEAD_KINDS(PALIMPSEST_CALL_ROW)});
  return table;
}

}  // namespace palimpsest
