// The table of merge rules: a row for each, in the order of the help. The file of a rule NAME
// defines NAME_kind(), with its name, help and keys.
#include "rules.h"

#define PALIMPSEST_MERGE_RULES(ROW) \
  ROW(closed_form)                  \
  ROW(became)                       \
  ROW(average)                      \
  ROW(ema)                          \
  ROW(fixed)                        \
  ROW(first)                        \
  ROW(none)                         \
  ROW(task_arithmetic)              \
  ROW(dare)                         \
  ROW(ties)                         \
  ROW(magmax)

namespace palimpsest {

#define PALIMPSEST_DECLARE(name) RuleKind name##_kind();
#define PALIMPSEST_CALL(name) name##_kind(),

PALIMPSEST_MERGE_RULES(PALIMPSEST_DECLARE)

const PartTable<MergeRule>& merge_rules() {
  static const PartTable<MergeRule> table("merge rule", {PALIMPSEST_MERGE_RULES(PALIMPSEST_CALL)});
  return table;
}

#undef PALIMPSEST_DECLARE
#undef PALIMPSEST_CALL

std::unique_ptr<MergeRule> make_merge_rule(std::string_view text) {
  return merge_rules().make(text);
}

}  // namespace palimpsest
