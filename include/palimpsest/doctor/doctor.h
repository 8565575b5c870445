#pragma once
// palimpsest doctor: looks at machine, launch and files with all ranks before a run does, and says
// what is wrong and what to do about it.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "palimpsest/comm/cuda_module.h"
#include "palimpsest/doctor/finding.h"
#include "palimpsest/doctor/judge.h"

namespace palimpsest {

class HostGroup;
class Watchdog;

// What the caller knows of its program.
struct Surroundings {
  CudaLookup cuda;
  std::vector<std::pair<std::string, std::string>> versions;  // name and value, alike on all ranks
};

// All that was found: on rank 0; elsewhere empty.
struct Diagnosis {
  std::vector<Finding> findings;
  std::vector<RankFacts> ranks;
  std::vector<std::pair<std::string, AllReduceReport>> all_reduces;  // by transport
};

// Collective. `tell` hears each finding on rank 0 as it is made, so that those before a hang are
// known: that ends the job by the watchdog, as everywhere.
Diagnosis diagnose(const DoctorRequest& request, const Surroundings& surroundings, HostGroup& group,
                   Watchdog& watchdog, const std::function<void(const Finding&)>& tell);

// One JSON object, for programs; docs/cluster.md lists its fields.
std::string to_json(const Diagnosis& diagnosis);

}  // namespace palimpsest
