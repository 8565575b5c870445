#include <fstream>

#include "palimpsest/comm/device_choice.h"
#include "palimpsest/core/text.h"
#include "palimpsest/doctor/facts.h"

namespace palimpsest {
namespace {

std::string kernel_driver() {
  std::ifstream file("/sys/module/nvidia/version");
  std::string version;
  std::getline(file, version);
  return version;
}

// Pairs of visible devices without access from one to the other.
std::vector<std::pair<int, int>> devices_apart(const CudaApi& api, int count) {
  std::vector<std::pair<int, int>> apart;
  for (int device = 0; device < count; ++device) {
    for (int peer = device + 1; peer < count; ++peer) {
      int there = 0, back = 0;
      api.probe.can_access_peer(&there, device, peer);
      api.probe.can_access_peer(&back, peer, device);
      if (!there || !back) apart.emplace_back(device, peer);
    }
  }
  return apart;
}

}  // namespace

DeviceFacts probe_devices(const CudaLookup& cuda, int node_rank, bool share_device) {
  DeviceFacts facts;
  facts.obstacle = cuda.obstacle;
  if (cuda.api == nullptr) return facts;
  const CudaApi& api = *cuda.api;
  const auto works = [&](int result, const std::string& what) {
    if (result == 0) return true;
    facts.obstacle = concat(what, ": ", api.error_string(result), " (CUDA error ", result, ")");
    return false;
  };
  api.probe.driver_version(&facts.driver);
  api.probe.runtime_version(&facts.runtime);
  api.probe.nccl_version(&facts.nccl);
  facts.kernel_driver = kernel_driver();
  for (int device = 0; device < cuda.devices; ++device) {
    if (!works(api.probe.describe_device(device, &facts.visible.emplace_back()),
               concat("device ", device, " does not answer")))
      return facts;
  }
  facts.index = device_index(node_rank, cuda.devices, share_device);
  if (node_rank == 0) facts.apart = devices_apart(api, cuda.devices);
  if (facts.index >= cuda.devices) return facts;
  std::size_t free = 0;
  if (works(api.set_device(facts.index), concat("device ", facts.index, " can't be used")) &&
      works(api.probe.free_memory(&free), concat("device ", facts.index, " gives no memory"))) {
    facts.free_memory = static_cast<std::int64_t>(free);
  }
  return facts;
}

}  // namespace palimpsest
