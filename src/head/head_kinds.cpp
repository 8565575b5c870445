// The table of heads: a row for each, in the order of the help. The file of a kind NAME defines
// NAME_head(), with its name, help and keys.
#include "palimpsest/head/head.h"
#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_HEAD_KINDS(ROW) \
  ROW(linear_head) \
  ROW(cosine_head) \
  ROW(prototype_head) \
  ROW(output_head)

// clang-format on

PALIMPSEST_PART_TABLE(head_kinds, HeadType, "head", PALIMPSEST_HEAD_KINDS)

}  // namespace palimpsest
