#pragma once
// Which memory the parts of a run need from the tasks before: a run that goes on from another's
// state must find it there.
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/config/run_config.h"
#include "palimpsest/core/named_tensors.h"

namespace palimpsest {

// What one part needs, and the words of a refusal: "<settings> ...: expected <name>, found ...:
// <reason>".
struct NeededMemory {
  std::vector<std::string> names;
  std::string settings;  // that ask for it: "--head cosine --head-scale 16"
  std::string if_none;   // the reason where the part has no memory in the state
  std::string if_other;  // where it has another instance's, and what to do
};

// "curvature/<kind>:scale=<scale>"; "" where nothing needs the Fisher.
std::string curvature_of(const RunConfig& config);

std::vector<NeededMemory> needed_memory(const RunConfig& config, std::int64_t tasks_done);

// Throws UsageError naming a tensor that `config` needs and `memory` lacks. `from`: the run or
// state that is gone on from.
void check_memory(const std::string& from, const NamedTensors& memory, const RunConfig& config,
                  std::int64_t tasks_done);

// Erases what `config` doesn't need. Returns in words what that was; "" for nothing.
std::string drop_unused_memory(NamedTensors& memory, const RunConfig& config,
                               std::int64_t tasks_done);

}  // namespace palimpsest
