#pragma once
// A method is a line of parts: adapter, perturbation, objective, head, penalty, curvature, merge
// rule, classifier. Each is of a kind, chosen by its setting; nothing outside of a part's folder
// knows a kind by its name.
#include <memory>
#include <string>
#include <vector>

#include "palimpsest/classifier/classifier.h"
#include "palimpsest/config/run_config.h"
#include "palimpsest/curvature/curvature.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/penalty/penalty.h"
#include "palimpsest/train/training_parts.h"

namespace palimpsest {

struct Method {
  TrainingParts training;
  std::unique_ptr<Penalty> penalty;
  std::unique_ptr<Curvature> curvature;
  std::unique_ptr<MergeRule> merge;
  std::vector<std::unique_ptr<Classifier>> classifiers;  // the run's own, then others

  // Whether anything needs the tasks' Fishers: the merge rule, or the penalty.
  bool needs_curvature() const { return penalty->needs_curvature() || merge->needs().fisher; }

  // Under which name the state has sums of the Fishers; "" where nothing needs them.
  std::string curvature_memory() const {
    return needs_curvature() ? curvature->instance() : std::string();
  }

  // Whether any classifier requests the features of a task's training samples.
  bool takes_features() const;

  // What its parts keep of so many tasks.
  std::vector<NeededMemory> needed_memory(std::int64_t tasks) const;
};

// Sets objective, head and classifier to those of weights that predict tokens.
void set_to_predict_tokens(RunConfig& config);

// Whether ranks may keep shards of what is as large as the adapted weights (--shard-memory).
bool can_shard(const Method& method);
// Throws UsageError with the reason where they may not.
void check_shards(const RunConfig& config, const Method& method);

// Throws UsageError for a part that isn't known.
Method make_method(const RunConfig& config);

}  // namespace palimpsest
