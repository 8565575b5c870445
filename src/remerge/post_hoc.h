#pragma once
// In plain words, why a merge isn't what training under it would have given.
#include <string>

#include "recorded_run.h"

namespace palimpsest {

// "" for the run's own rule over its first tasks.
std::string post_hoc_of(const Choice& choice, const RecordedRun& run, const MergeRule& rule);

std::string post_hoc_of_adapters();

// Whether all of the run's tasks share one head (domain-incremental), which keeps training from
// task to task.
bool has_one_head(const RecordedRun& run);

// "1, 3 and 4" of tasks that count from 0.
std::string numbers_of(const std::vector<std::int64_t>& tasks);

}  // namespace palimpsest
