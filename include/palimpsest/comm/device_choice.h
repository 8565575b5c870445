#pragma once
// Which device a rank takes, whether two ranks have the same one, and how NCCL is set up then.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/comm/cuda_module.h"

namespace palimpsest {

class HostGroup;

// A rank and the device that it takes.
struct RankDevice {
  std::string host;
  int node_rank = 0;
  int devices = 0;              // that it sees
  int index = 0;                // of those
  std::string identity = {};    // the same for two ranks only when it is one device
  std::string pci_bus_id = {};  // NCCL's idea of a device

  bool operator==(const RankDevice&) const = default;
};

// Where a launcher gives each rank one device, that one; otherwise one after the other
// by the rank within the node, and from the first again when they may be shared.
int device_index(int node_rank, int devices, bool share);

// A slice of a GPU (MIG) goes by its entry in `visible`, the value of CUDA_VISIBLE_DEVICES; a
// device by its UUID, else by its PCI address, else by its place in `visible`: no mask fools the
// first three.
std::string device_identity(const CudaDeviceInfo& device, std::string_view host,
                            std::string_view visible, int index);

// What every rank has, on every rank; `devices` is 0 where `api` is null. Collective.
std::vector<RankDevice> gather_devices(const CudaApi* api, bool share, HostGroup& group);

// Why these ranks can't compute on these devices: a rank without one, or two with the same (unless
// they may share), with what to do. Empty where they can.
std::string device_conflict(std::span<const RankDevice> ranks, bool share);

// NCCL refuses two ranks whose host and PCI address are the same. Where devices or slices of one
// are shared, this is a name of the rank's host for it alone (NCCL_HOSTID), and data goes between
// them over the network interface; otherwise it is empty.
std::string nccl_host_id(std::span<const RankDevice> ranks, int rank);

// Puts it into the environment, where the user has not. Call it before the first communicator.
void announce_shared_devices(std::span<const RankDevice> ranks, int rank);

}  // namespace palimpsest
