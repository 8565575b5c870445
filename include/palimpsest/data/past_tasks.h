#pragma once
// Tasks that were learned from another pack, months ago perhaps (--continue): their training
// samples are gone, and their test samples mostly, too.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/data/task_stream.h"

namespace palimpsest {

// What a state knows of a task that it has learned.
struct PastTask {
  std::vector<std::string> classes;
  std::int64_t test_samples = 0;  // 0: not to be looked for
};

// They have no name and no training samples; and test samples where `pack` has as many of these
// classes as then, of each the first `test_per_class` (0: all).
std::vector<Task> recall_tasks(const Pack& pack, std::span<const PastTask> past,
                               std::int64_t test_per_class);

bool is_past(const Task& task);

// `tasks` come after `past`, and are numbered so.
void put_before(std::vector<Task> past, std::vector<Task>& tasks);

}  // namespace palimpsest
