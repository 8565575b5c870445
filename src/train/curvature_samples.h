#pragma once
// Which training samples of a task its curvature is measured on (--curvature KIND:samples=N).
#include <cstdint>

#include "palimpsest/data/task_stream.h"

namespace palimpsest {

// The task with `by_class` of the training samples of each class, in their order; all of a class
// that has no more. Drawn by (seed, task, sample of the pack): the same on every rank, whatever
// other samples there are.
Task with_fewer_samples(const Task& task, std::int64_t by_class, std::uint64_t seed);

}  // namespace palimpsest
