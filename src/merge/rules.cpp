// The table of merge rules: a row for each, in the order of the help. The file of a rule NAME
// defines NAME_kind(), with its name, help and keys.
#include "rules.h"

#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_MERGE_RULES(ROW) \
  ROW(closed_form_kind) \
  ROW(became_kind) \
  ROW(average_kind) \
  ROW(ema_kind) \
  ROW(fixed_kind) \
  ROW(first_kind) \
  ROW(none_kind) \
  ROW(task_arithmetic_kind) \
  ROW(dare_kind) \
  ROW(ties_kind) \
  ROW(magmax_kind)

// clang-format on

PALIMPSEST_PART_TABLE(merge_rules, MergeRule, "merge rule", PALIMPSEST_MERGE_RULES)

std::unique_ptr<MergeRule> make_merge_rule(std::string_view text) {
  return merge_rules().make(text);
}

}  // namespace palimpsest
