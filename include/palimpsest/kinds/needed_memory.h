#pragma once
// Which memory the parts of a run need from the tasks before: a run that resumes from a state must
// find it there, under the names of that run's parts.
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/named_tensors.h"

namespace palimpsest {

// What one part needs, and the words of a refusal: "... with <settings>: expected <name>,
// found ...: <reason>".
struct NeededMemory {
  std::vector<std::string> names;
  std::string settings;      // that need it: "--head cosine:scale=16"
  std::string if_none;       // the reason where the part has no memory in the state
  std::string if_other;      // where it has another instance's, and what to do
  bool is_optional = false;  // a run continues and answers without it, too
};

// "<instance>/<task>/<array>" for each array of each task.
std::vector<std::string> names_by_task(std::string_view instance, std::int64_t tasks,
                                       std::initializer_list<const char*> arrays);

// Throws UsageError naming a tensor that is needed and that `memory` lacks. `what`: whose memory it
// is, or what can't be done with it, at the beginning of the message.
void check_memory(const std::string& what, const NamedTensors& memory,
                  std::span<const NeededMemory> needed);

// Erases what isn't needed. Returns as text what that was; "" for nothing.
std::string drop_unused_memory(NamedTensors& memory, std::span<const NeededMemory> needed);

}  // namespace palimpsest
