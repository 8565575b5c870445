#pragma once
// A finished run under other merge rules: palimpsest eval --rule.
#include <span>
#include <string>
#include <vector>

#include "palimpsest/continual/saved_weights.h"
#include "palimpsest/metrics/rule_evaluation.h"
#include "palimpsest/session/session.h"

namespace palimpsest {

// Collective, and throws Stopped between two chunks. Merges all tasks of the run again, under its
// own rule and under each of `rules`, and evaluates each model by the heads that `saved` has. A
// rule that needs what the records lack has a reason instead; one that gives the run's own weights
// is left out. Names and alphas are rank 0's alone. Throws InputError as remerge_run().
std::vector<RuleEvaluation> evaluate_rules(Session& session, SavedWeights saved,
                                           std::span<const std::string> rules);

}  // namespace palimpsest
