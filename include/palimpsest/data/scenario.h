#pragma once
// What a scenario requires of the classes of a stream's tasks.
#include <span>
#include <string_view>

#include "palimpsest/core/scenario.h"
#include "palimpsest/data/task_stream.h"

namespace palimpsest {

// Throws InputError unless the tasks' classes are all different ones, or, in domain-incremental,
// the same in the same order. `protocol`: the file, for the message.
void check_scenario(std::span<const Task> tasks, Scenario scenario, std::string_view protocol);

}  // namespace palimpsest
