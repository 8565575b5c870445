#include "palimpsest/continual/other_rules.h"

#include <cmath>
#include <limits>

#include "palimpsest/continual/saved_evaluation.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/remerge/run_merge.h"

namespace palimpsest {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Merge {
  std::string rule, reason;
  std::vector<double> alphas;
  std::vector<float> weights;
};

// rule: "" for the run's own.
Merge merge_again(const SavedWeights& saved, const std::string& rule, int threads) {
  try {
    const RemergeResult result = remerge_run({.run = saved.run, .rule = rule, .threads = threads});
    if (result.tasks.size() != saved.classes.size())
      throw InputError(
          concat(saved.run.string(), ": the run has finished another task meanwhile; start again"));
    Merge merge{rule.empty() ? result.own_rule : result.rule, "", {}, result.record.weights};
    for (const MergedTask& task : result.tasks)
      merge.alphas.push_back(task.record.alpha().value_or(kNone));
    return merge;
  } catch (const UsageError& error) {
    if (rule.empty()) throw;
    return {rule, error.what(), {}, {}};
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
    Merge merge = group.work("merging again", [&] {
      return group.rank() == 0 ? merge_again(saved, rule, threads) : Merge();
    });
    merge.rule = group.broadcast(merge.rule, 0, "merging again");
    merge.reason = group.broadcast(merge.reason, 0, "merging again");
    group.broadcast(merge.alphas, 0, "merging again");
    group.broadcast(merge.weights, 0, "merging again");
    if (rule.empty()) own = merge.weights;
    if (!rule.empty() && merge.reason.empty() && merge.weights == own) continue;
    RuleEvaluation evaluation{.rule = merge.rule, .is_own = rule.empty(), .reason = merge.reason};
    for (const double alpha : merge.alphas)
      evaluation.alphas.push_back(std::isnan(alpha) ? std::nullopt : std::optional(alpha));
    if (merge.reason.empty()) {
      saved.weights = std::move(merge.weights);
      evaluation.row = evaluate_saved(session, saved).front();
    }
    evaluations.push_back(std::move(evaluation));
  }
  return evaluations;
}

}  // namespace palimpsest
