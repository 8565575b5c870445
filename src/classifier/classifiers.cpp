// The classes seen, and the table of classifiers: a row for each, in the order of the help. The
// file of a kind NAME defines NAME_classifier(), with its name, help and keys.
#include <numeric>

#include "palimpsest/classifier/classifier.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/rows.h"

namespace palimpsest {

// clang-format off
#define PALIMPSEST_CLASSIFIERS(ROW) \
  ROW(local_classifier) \
  ROW(ridge_classifier) \
  ROW(gaussian_classifier) \
  ROW(prototype_classifier) \
  ROW(none_classifier)

// clang-format on

PALIMPSEST_PART_TABLE(classifiers, Classifier, "classifier", PALIMPSEST_CLASSIFIERS)

std::string Classifier::instance() const { return concat("classifier/", text_); }

ClassScores Classifier::scores_before_merge(TaskPasses& passes, const AdaptedWeights& trained,
                                            const ClassesSeen& seen,
                                            const NamedTensors& memory) const {
  NamedTensors own;
  for (const std::string& first : {std::string("head"), instance()})
    for (const std::string& name : memory.names(first)) own.put(name, memory.at(name));
  learn(passes, trained, seen, own);
  return scores(own, seen, passes.session().device());
}

std::int64_t ClassesSeen::count() const {
  if (shared) return by_task.empty() ? 0 : by_task.back();
  return std::accumulate(by_task.begin(), by_task.end(), std::int64_t{0});
}

std::int64_t ClassesSeen::first(std::size_t task) const {
  if (shared) return 0;
  return std::accumulate(by_task.begin(), by_task.begin() + static_cast<std::ptrdiff_t>(task),
                         std::int64_t{0});
}

ClassesSeen classes_seen(std::span<const Task> tasks, Scenario scenario) {
  ClassesSeen seen{.by_task = {}, .shared = shares_head(scenario)};
  for (const Task& task : tasks) seen.by_task.push_back(std::ssize(task.classes));
  return seen;
}

}  // namespace palimpsest
