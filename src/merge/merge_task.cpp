#include "palimpsest/merge/merge_task.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/task_vector.h"

namespace palimpsest {

TaskMerge merge_task(const MergeRule& rule, const AdaptedLayout& layout, CurvatureMemory& memory,
                     const TaskToMerge& task, int threads) {
  TaskMerge made;
  const bool has_fisher = !task.fisher.empty();
  if (has_fisher) {
    for_each_index(2, threads, [&](std::size_t which) {
      if (which == 0) made.mass_before = memory.mass(task.task_vector);
      if (which == 1) {
        made.mass_task = task.fisher_factor * fisher_mass(task.fisher, task.task_vector);
      }
    });
    memory.add(task.fisher, task.weights, task.fisher_factor, threads);
  }
  made.merged.resize(task.merged.size());
  made.decision = rule.merge({.task = task.task,
                              .merged = task.merged,
                              .task_vector = task.task_vector,
                              .layout = layout,
                              .memory = memory,
                              .fisher = task.fisher,
                              .fisher_factor = task.fisher_factor,
                              .factors = task.factors,
                              .all_task_vectors = task.all_task_vectors,
                              .threads = threads},
                             made.merged);
  made.remark = merge_remark(task.task, made.decision, made.mass_task.value_or(0),
                             made.mass_before.value_or(0));
  if (has_fisher) {
    made.predicted_rise =
        task.fisher_factor * quadratic_rise(task.fisher, made.merged, task.weights);
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
