#include "palimpsest/merge/merge_task.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/task_vector.h"

namespace palimpsest {
namespace {

// theta_hat stays: there is no task vector.
TaskMerge keep_merged(const MergeRule& rule, const MergeInput& input) {
  TaskMerge made;
  made.merged.assign(input.merged.begin(), input.merged.end());
  if (rule.changes_trained()) {
    made.remark =
        "nothing to merge: no factor of the adapter learned in this task, and the weights stay";
  }
  return made;
}

}  // namespace

TaskMerge merge_task(const MergeRule& rule, const MergeInput& input, std::span<const float> trained,
                     CurvatureMemory& memory) {
  if (input.task_vector.empty()) return keep_merged(rule, input);
  TaskMerge made;
  const bool has_fisher = !input.fisher.empty();
  if (has_fisher) {
    made.mass_before = memory_mass(input);
    made.mass_task = input.fisher_factor * fisher_mass(input);
    memory.add(input.fisher, trained, input.fisher_factor, input.threads);
  }
  made.merged.resize(input.merged.size());
  made.output = rule.merge(input, made.merged);
  made.remark = merge_remark(input.task, made.output, made.mass_task.value_or(0),
                             made.mass_before.value_or(0));
  if (has_fisher) {
    made.predicted_rise = input.fisher_factor * quadratic_rise(input.layout, input.share,
                                                               input.fisher, made.merged, trained);
  }
  return made;
}

std::vector<float> merge_by_coefficients(const AdaptedLayout& layout,
                                         std::span<const double> coefficients,
                                         std::span<const float> merged,
                                         std::span<const float> task_vector, int threads) {
  const std::span<const AdaptedModule> modules = layout.modules();
  if (coefficients.size() != 1 && coefficients.size() != modules.size()) {
    throw Error(concat("a merge with ", coefficients.size(), " coefficients; expected one, or ",
                       modules.size(), ", one per module"));
  }
  std::vector<float> result(merged.begin(), merged.end());
  for_each_index(modules.size(), threads, [&](std::size_t m) {
    const auto first = static_cast<std::size_t>(modules[m].offset);
    const auto size = static_cast<std::size_t>(modules[m].size());
    add_scaled(std::span(result).subspan(first, size),
               coefficients[coefficients.size() == 1 ? 0 : m], task_vector.subspan(first, size));
  });
  return result;
}

}  // namespace palimpsest
