// Settings of the merge.
#include "keys.h"
#include "palimpsest/merge/merge_rule.h"

namespace palimpsest {
namespace {

// Throws UsageError where the rule is one that a run cannot train for.
void check_trainable(std::string_view text) {
  check_offered(*make_merge_rule(text), offered_in_training());
}

}  // namespace

std::vector<Key> keys_of_merge() {
  using C = RunConfig;
  return {key_of_part(
      {.name = "merge",
       .group = kMergeGroup,
       .member = &C::merge,
       .help = "How a trained task enters the model: a rule, and its keys, as in\n"
               "closed-form:by=module,shrink=0.1. One for another training is refused."},
      merge_rules(), check_trainable)};
}

}  // namespace palimpsest
