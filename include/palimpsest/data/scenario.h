#pragma once
// What a scenario asks of the classes of a stream's tasks.
#include <span>
#include <string_view>

#include "palimpsest/data/task_stream.h"

namespace palimpsest {

// One head, that of the newest task, serves all tasks.
bool shares_head(std::string_view scenario);

// Throws InputError unless the tasks' classes are all different ones, or, in domain-incremental,
// the same in the same order. `protocol`: the file, for the message.
void check_scenario(std::span<const Task> tasks, std::string_view scenario,
                    std::string_view protocol);

}  // namespace palimpsest
