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
std::unique_ptr<MergeRule> parse_recorded_rule(const std::string& json);

// All but the hashes of the weights.
MergeRecord to_record(const MergeRule& rule, const TaskMerge& merge);

// Delta of the layout's modules, in its order, in its defined bits (merge/task_vector.h). `lora`:
// has each of them, in any order, and may have others; none: zeros. Throws Error where one is
// missing.
std::vector<float> make_task_vector(const std::vector<LoraFactors>& lora,
                                    const AdaptedLayout& layout, int threads = 1);

// The factors as rules see them; valid as long as `lora` is.
std::vector<LowRankFactors> to_low_rank_factors(const std::vector<LoraFactors>& lora);

}  // namespace palimpsest
