#pragma once
// What a run would have scored with another merge rule over the same trained tasks.
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/core/evaluation_row.h"

namespace palimpsest {

struct RuleEvaluation {
  std::string rule;  // RULE[:key=value,...]
  bool is_own = false;
  std::vector<std::optional<double>> alphas = {};  // by task; of several coefficients their mean
  EvaluationRow row = {};   // of the model after the last task; no samples: the rule isn't possible
  std::string reason = {};  // why it isn't
};

}  // namespace palimpsest
