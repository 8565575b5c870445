#include "palimpsest/comm/device_choice.h"

#include <cstdlib>
#include <map>
#include <sstream>

#include "mpi_check.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr std::string_view kPhase = "device agreement";
constexpr char kBetween = '\t';

std::string_view entry(std::string_view list, int index) {
  for (; index > 0; --index) {
    const std::size_t comma = list.find(',');
    if (comma == std::string_view::npos) return "";
    list.remove_prefix(comma + 1);
  }
  return list.substr(0, list.find(','));
}

std::string to_line(const RankDevice& rank) {
  return concat(rank.host, kBetween, rank.node_rank, kBetween, rank.devices, kBetween, rank.index,
                kBetween, rank.identity, kBetween, rank.pci_bus_id);
}

RankDevice from_line(const std::string& line) {
  std::istringstream in(line);
  const auto next = [&in] {
    std::string field;
    std::getline(in, field, kBetween);
    return field;
  };
  RankDevice rank;
  rank.host = next();
  rank.node_rank = std::stoi(next());
  rank.devices = std::stoi(next());
  rank.index = std::stoi(next());
  rank.identity = next();
  rank.pci_bus_id = next();
  return rank;
}

RankDevice take_device(const CudaApi* api, bool share, int node_rank) {
  RankDevice rank{.host = host_name(), .node_rank = node_rank};
  if (api == nullptr || api->device_count(&rank.devices) != 0) rank.devices = 0;
  rank.index = device_index(node_rank, rank.devices, share);
  if (rank.index >= rank.devices) return rank;
  CudaDeviceInfo info;
  const int result = api->probe.describe_device(rank.index, &info);
  if (result != 0) {
    throw Error(concat("device ", rank.index, " does not answer: ", api->error_string(result),
                       ". See nvidia-smi and the node's log"));
  }
  const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
  rank.identity = device_identity(info, rank.host, visible ? visible : "", rank.index);
  rank.pci_bus_id = info.pci_bus_id;
  return rank;
}

}  // namespace

int device_index(int node_rank, int devices, bool share) {
  if (devices == 1) return 0;
  return share && devices > 0 ? node_rank % devices : node_rank;
}

std::string device_identity(const CudaDeviceInfo& device, std::string_view host,
                            std::string_view visible, int index) {
  const std::string_view mask = entry(visible, index);
  if (mask.starts_with("MIG-")) return std::string(mask);
  if (!device.uuid.empty()) return device.uuid;
  if (!device.pci_bus_id.empty()) return concat(host, " ", device.pci_bus_id);
  return concat(host, " device ", index, " of '", visible, "'");
}

std::vector<RankDevice> gather_devices(const CudaApi* api, bool share, HostGroup& group) {
  std::vector<std::string> lines =
      group.gather(to_line(take_device(api, share, group.node_rank())), kPhase);
  group.broadcast(lines, 0, kPhase);
  std::vector<RankDevice> ranks;
  for (const std::string& line : lines) ranks.push_back(from_line(line));
  return ranks;
}

std::string device_conflict(std::span<const RankDevice> ranks, bool share) {
  std::map<std::string, std::size_t> rank_by_device;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const RankDevice& device = ranks[rank];
    const std::string who = concat("rank ", rank, " (host ", device.host, ")");
    if (device.devices == 0) {
      return who + " has no device. Request one device per rank, or use --device cpu";
    }
    if (share) continue;
    if (device.index >= device.devices) {
      return concat(who, " is number ", device.node_rank + 1, " of its node, and sees ",
                    device.devices, device.devices == 1 ? " device" : " devices",
                    ". Start as many ranks on a node as it has devices, let ranks share them "
                    "(--device cuda:share=true), or use --device cpu");
    }
    const auto [other, is_new] = rank_by_device.emplace(device.identity, rank);
    if (!is_new) {
      return concat(
          "rank ", other->second, " and ", who, " have the same device, ", device.identity,
          ". Start as many ranks on a node as it has devices and check "
          "CUDA_VISIBLE_DEVICES, let ranks share them (--device cuda:share=true), or use --device "
          "cpu");
    }
  }
  return "";
}

std::string nccl_host_id(std::span<const RankDevice> ranks, int rank) {
  std::map<std::string, int> ranks_at;
  for (const RankDevice& each : ranks) {
    const std::string place = each.pci_bus_id.empty() ? each.identity : each.pci_bus_id;
    if (++ranks_at[concat(each.host, ' ', place)] > 1) return concat("palimpsest-rank-", rank);
  }
  return "";
}

void announce_shared_devices(std::span<const RankDevice> ranks, int rank) {
  const std::string id = nccl_host_id(ranks, rank);
  if (!id.empty()) setenv("NCCL_HOSTID", id.c_str(), /*overwrite=*/0);
}

}  // namespace palimpsest
