#include "palimpsest/method/method.h"

#include <algorithm>
#include <utility>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// The first kind whose part is so.
template <typename Part, typename IsSo>
std::string first_kind(const PartTable<Part>& table, const IsSo& is_so) {
  const auto found = std::ranges::find_if(
      table.kinds, [&](const Kind& kind) { return is_so(*table.make(kind.name)); });
  return std::string(found->name);
}

// The merge rules that merges_shares(), with the middle of the range where a key has no default.
std::vector<std::string> rules_of_shards() {
  std::vector<std::string> names;
  for (const Kind& kind : merge_rules().kinds) {
    std::string text(kind.name);
    for (const SettingSpec& key : kind.keys) {
      if (key.default_value) continue;
      text += concat(text == kind.name ? ":" : ",", key.name, '=',
                     shortest((key.minimum + key.maximum) / 2));
    }
    if (make_merge_rule(text)->merges_shares()) names.emplace_back(kind.name);
  }
  return names;
}

}  // namespace

void set_to_predict_tokens(RunConfig& config) {
  config.objective =
      first_kind(objectives(), [](const Objective& one) { return one.predicts_tokens(); });
  config.head = first_kind(
      head_kinds(), [](const HeadType& one) { return one.weights() == HeadWeights::kOfBackbone; });
  config.classifier =
      first_kind(classifiers(), [](const Classifier& one) { return !one.compares_classes(); });
}

bool can_shard(const Method& method) {
  return method.merge->merges_shares() && !method.penalty->changes_steps() &&
         method.curvature->backward_passes(2) <= 1;
}

void check_shards(const RunConfig& config, const Method& method) {
  const auto refuse = [](const auto&... reason) {
    throw UsageError(
        concat("--shard-memory cannot be used with ", reason..., ". Leave one of them out"));
  };
  if (!method.merge->merges_shares())
    refuse("--merge ", config.merge,
           ", which needs all weights on one rank. These rules do not, by the defaults of their "
           "keys: ",
           join(rules_of_shards(), ", "));
  if (method.penalty->changes_steps())
    refuse("--penalty ", config.penalty, ", which every step needs for all weights");
  if (method.curvature->backward_passes(2) > 1)
    refuse("--curvature ", config.curvature, ", which makes a backward pass for each class");
}

Method make_method(const RunConfig& config) {
  return {.training = make_training_parts(config),
          .penalty = penalties().make(config.penalty),
          .curvature = curvatures().make(config.curvature),
          .merge = make_merge_rule(config.merge),
          .classifiers = classifiers().make_all(config.classifier)};
}

bool Method::takes_features() const {
  return std::ranges::any_of(classifiers, [](const auto& one) { return one->takes_features(); });
}

std::vector<NeededMemory> Method::needed_memory(std::int64_t tasks) const {
  std::vector<NeededMemory> needed;
  for (const auto& classifier : classifiers)
    for (NeededMemory& memory : classifier->needs(tasks)) needed.push_back(std::move(memory));
  needed.push_back(training.head->needs(tasks));
  if (needs_curvature())
    needed.push_back(curvature->needs(penalty->needs_curvature() ? "the penalty" : "the rule"));
  return needed;
}

}  // namespace palimpsest
