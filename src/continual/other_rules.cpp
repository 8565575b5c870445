#include "palimpsest/continual/other_rules.h"

#include <utility>

#include "palimpsest/continual/saved_evaluation.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/remerge/run_merge.h"

namespace palimpsest {
namespace {

struct Merge {
  RuleEvaluation evaluation;  // without a row
  std::vector<float> weights;
};

// rule: "" for the run's own.
Merge merge_again(const SavedWeights& saved, const std::string& rule, int threads) {
  try {
    const RemergeResult result = remerge_run({.run = saved.run, .rule = rule, .threads = threads});
    if (result.tasks.size() != saved.classes.size())
      throw InputError(
          concat(saved.run.string(), ": the run has finished another task meanwhile; start again"));
    Merge merge{{.rule = rule.empty() ? result.own_rule : result.rule}, result.record.weights};
    for (const MergedTask& task : result.tasks)
      merge.evaluation.alphas.push_back(task.record.alpha());
    return merge;
  } catch (const UsageError& error) {
    if (rule.empty()) throw;
    return {{.rule = rule, .reason = error.what()}, {}};
  }
}

}  // namespace

std::vector<RuleEvaluation> evaluate_rules(Session& session, SavedWeights saved,
                                           std::span<const std::string> rules) {
  std::vector<std::string> all = {""};
  all.insert(all.end(), rules.begin(), rules.end());
  HostGroup& group = session.group;
  const auto threads = static_cast<int>(session.config.device.threads);
  std::vector<float> own;
  std::vector<RuleEvaluation> evaluations;
  for (const std::string& rule : all) {
    // As in training: rank 0 merges, and the others get the weights.
    auto [evaluation, weights] = group.work("merging again", [&] {
      return group.rank() == 0 ? merge_again(saved, rule, threads) : Merge();
    });
    evaluation.is_own = rule.empty();
    evaluation.reason = group.broadcast(evaluation.reason, 0, "merging again");
    group.broadcast(weights, 0, "merging again");
    if (evaluation.is_own) own = weights;
    if (!evaluation.is_own && evaluation.reason.empty() && weights == own) continue;
    if (evaluation.reason.empty()) {
      saved.weights = std::move(weights);
      evaluation.row = evaluate_saved(session, saved).front();
    }
    evaluations.push_back(std::move(evaluation));
  }
  return evaluations;
}

}  // namespace palimpsest
