#pragma once
// The tasks of a run, in order: which samples of the pack train and test each.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/format/pack.h"
#include "palimpsest/format/protocol.h"

namespace palimpsest {

// Samples of one split of a task: pack indices, and for each the class by its position in the task.
struct LabelledSamples {
  std::vector<std::int64_t> samples;
  std::vector<std::int64_t> targets;
  std::int64_t size() const { return static_cast<std::int64_t>(samples.size()); }
};

struct Task {
  std::int64_t index = 0;
  std::string name;
  std::vector<std::string> classes;  // the protocol's labels of them, by output of the head
  LabelledSamples train, test;
};

// Matches a protocol to a pack. Throws InputError when they don't fit: a class the pack lacks (with
// the nearest one), or fewer samples of a class than the protocol takes.
std::vector<Task> make_tasks(const Pack& pack, const Protocol& protocol);

// All tasks as one, the bound that no stream can reach: their classes and samples one task after
// the other. A class that several tasks have (by name) is one class. At least one task.
Task joint_task(std::span<const Task> tasks);

// Positions 0 .. size-1 in chunks of `chunk`: evaluation and Fisher passes run over these at every
// world size.
std::vector<std::vector<std::int64_t>> chunks(std::int64_t size, std::int64_t chunk);

}  // namespace palimpsest
