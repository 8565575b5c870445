#pragma once
// Merging again what was trained before: tasks one after another, under any rule, with the
// arithmetic of training (merge/merge_task.h).
//
// What is recorded of a task is where its training ended, theta_t*. A new merge goes from its own
// theta_hat'_{t-1} towards theta_t*: its task vector is Delta'_t = theta_t* - theta_hat'_{t-1}, and
// the recorded Delta_t, in its defined bits, as long as theta_hat'_{t-1} is what the task was
// trained on.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/format/records.h"
#include "palimpsest/merge/merge_rule.h"
#include "palimpsest/merge/merge_task.h"

namespace palimpsest {

// One task's training as it ended. Flat adapted vectors, measured from theta_hat_0.
struct EndPoint {
  std::string name;                    // for messages: "task 3"
  std::span<const float> base;         // what it was trained on
  std::span<const float> task_vector;  // Delta_t, from the base; empty where no factor learned
  std::span<const float> weights;      // theta_t*
  const std::vector<LoraFactors>* lora = nullptr;  // of Delta_t
  const FisherRecord* fisher = nullptr;            // nullptr: none, or not read
};

// What is said of one merge.
struct MergedTask {
  std::string name;
  std::int64_t index = 0;   // of the task in its run, from 0; of the adapter as it was given
  MergeRecord record = {};  // weights_after always
  double norm = 0;          // |theta_hat_t - theta_hat_0|
  std::optional<double> predicted_rise = {};
};

// Merges end points as they come.
class Remerge {
 public:
  // `rule` stays valid as long as this. keeps_memory: a rule of this merge needs S0 and S1; then
  // the Fisher of every end point that has one enters them, under whatever rule, as in training.
  Remerge(const MergeRule& rule, AdaptedLayout layout, bool keeps_memory, int threads);

  // Throws UsageError where the rule needs what the end point hasn't: a Fisher; or A and B, which a
  // task vector hasn't that is measured from other weights than its own. Likewise where a Fisher is
  // of another kind than those before. A rule over all task vectors merges when `is_last`, and
  // before only remembers.
  MergedTask take(const EndPoint& point, bool is_last);

  // Takes the task out again that take() has brought in last: its share of S0 and S1 is subtracted,
  // and theta_hat is what it was `before`.
  void forget(const EndPoint& point, std::vector<float> before);

  // From the next task on.
  void use(const MergeRule& rule) { rule_ = &rule; }

  const MergeRule& rule() const { return *rule_; }
  const AdaptedLayout& layout() const { return layout_; }
  const std::vector<float>& merged() const { return merged_; }
  const CurvatureMemory& memory() const { return memory_; }

 private:
  // Of the end point, where the memory takes it in; else nullptr.
  const FisherRecord* find_fisher(const EndPoint& point) const;
  void check_kind(const FisherRecord& fisher, const std::string& name);

  const MergeRule* rule_;
  AdaptedLayout layout_;
  int threads_;
  std::int64_t tasks_ = 0;
  std::vector<float> merged_;
  CurvatureMemory memory_;
  std::string kind_, kind_of_;                  // of the first Fisher, and whose it is
  std::vector<std::vector<float>> end_points_;  // RuleMemory::kAllTaskVectors only
};

}  // namespace palimpsest
