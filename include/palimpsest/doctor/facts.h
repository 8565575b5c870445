#pragma once
// What a rank knows of its machine: gathered on rank 0, where judge.h makes findings of it.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "palimpsest/comm/cuda_module.h"

namespace palimpsest {

inline constexpr std::int64_t kUnlimited = -1;

struct DeviceFacts {
  std::string obstacle;  // why no device can be used; empty where one can
  std::vector<CudaDeviceInfo> visible;
  int index = 0;                 // the one that this rank takes; may be beyond the visible ones
  std::int64_t free_memory = 0;  // of it
  int driver = 0, runtime = 0, nccl = 0;   // versions as in CudaProbe; 0 where unknown
  std::string kernel_driver;               // "580.65.06"; empty where unknown
  std::vector<std::pair<int, int>> apart;  // visible devices that have no access to one another
};

struct RankFacts {
  std::string host;
  std::string node;  // the same for ranks of one running system, whatever their host is called
  int node_rank = 0;
  std::string mpi_standard, mpi_thread_level;
  // What must be alike: name and value, in the order of the line.
  std::vector<std::pair<std::string, std::string>> versions;
  std::vector<int> cores;                                            // on which this rank may run
  std::int64_t locked_memory = 0, core_file = 0, shared_memory = 0;  // bytes, or kUnlimited
  std::vector<std::string> infiniband;                               // adapters
  std::map<std::string, std::string> environment;  // variables that steer MPI, NCCL, CUDA or HDF5
  DeviceFacts device;
};

std::string facts_to_json(const RankFacts& facts);
RankFacts facts_from_json(std::string_view text);

// Whether the variable belongs into RankFacts::environment.
bool steers_a_run(std::string_view variable);

// This rank's machine, devices aside; `versions` are those that the caller knows, others are added.
RankFacts probe_machine(int node_rank, std::vector<std::pair<std::string, std::string>> versions);

// What CUDA says here; nothing throws: what fails is the obstacle. Leaves the current device at
// the one that this rank takes.
DeviceFacts probe_devices(const CudaLookup& cuda, int node_rank, bool share_device);

}  // namespace palimpsest
