// The table of heads: a row for each, in the order of the help. The file of a kind NAME defines
// NAME_head(), with its name, help and keys.
#include "head_kinds.h"

#define PALIMPSEST_HEAD_KINDS(ROW) \
  ROW(linear)                      \
  ROW(cosine)                      \
  ROW(prototype)

namespace palimpsest {

#define PALIMPSEST_DECLARE(name) HeadRow name##_head();
#define PALIMPSEST_CALL(name) name##_head(),

PALIMPSEST_HEAD_KINDS(PALIMPSEST_DECLARE)

const PartTable<HeadKind>& head_kinds() {
  static const PartTable<HeadKind> table("head", {PALIMPSEST_HEAD_KINDS(PALIMPSEST_CALL)});
  return table;
}

#undef PALIMPSEST_DECLARE
#undef PALIMPSEST_CALL

std::unique_ptr<HeadKind> make_head_kind(const RunConfig& config) {
  return head_kinds().make(config.head, {{"scale", config.head_scale}});
}

}  // namespace palimpsest
