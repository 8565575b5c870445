#pragma once
// Between the merge's arithmetic and what records say of it; the same for training and offline.
#include <string>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/format/records.h"
#include "palimpsest/merge/merge_task.h"

namespace palimpsest {

// The rule as JSON, as records have it: {"name": ..., and what was given besides}.
std::string rule_json(const MergeRule& rule);

// The rule that a record names. Throws InputError where this program has none like it.
std::unique_ptr<MergeRule> rule_of_record(const std::string& json);

// All but the hashes of the weights.
MergeRecord record_of(const MergeRule& rule, const TaskMerge& merge);

// Delta of all modules, in the layout's order, in its defined bits (merge/task_vector.h). `lora`:
// every module of the layout once, in any order. Throws Error where one isn't in the layout.
std::vector<float> task_vector_of(const std::vector<LoraFactors>& lora, const AdaptedLayout& layout,
                                  int threads = 1);

// The factors as rules see them; valid as long as `lora` is.
std::vector<LowRankFactors> factors_of(const std::vector<LoraFactors>& lora);

}  // namespace palimpsest
