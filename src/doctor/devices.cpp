// Checks of the GPUs: whether driver, NCCL and ranks fit them.
#include <algorithm>
#include <fstream>
#include <set>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/doctor/check.h"

namespace palimpsest {
namespace {

using nlohmann::json;

std::string cuda_version(int number) {
  return number == 0 ? "unknown" : concat(number / 1000, ".", number % 1000 / 10);
}

// Of this rank. What fails is the obstacle. Leaves the current device at the one that it takes.
json probe_devices(const CudaLookup& cuda, int node_rank, bool share) {
  json facts = {{"obstacle", cuda.obstacle}};
  if (cuda.api == nullptr) return facts;
  const CudaApi& api = *cuda.api;
  const auto works = [&](int result, const std::string& what) {
    if (result != 0)
      facts["obstacle"] =
          concat(what, ": ", api.error_string(result), " (CUDA error ", result, ")");
    return result == 0;
  };
  int driver = 0, runtime = 0, nccl = 0;  // stay 0 where unknown
  api.probe.driver_version(&driver);
  api.probe.runtime_version(&runtime);
  api.probe.nccl_version(&nccl);
  std::ifstream file("/sys/module/nvidia/version");
  std::string kernel_driver;
  if (std::getline(file, kernel_driver)) kernel_driver += ", ";
  const int index = device_index(node_rank, cuda.devices, share);
  facts.update({{"driver", driver},
                {"driver_version", kernel_driver + "CUDA " + cuda_version(driver)},
                {"runtime", runtime},
                {"nccl", concat(nccl / 10000, ".", nccl % 10000 / 100, ".", nccl % 100)},
                {"visible", cuda.devices},
                {"apart", json::array()}});
  for (int device = 0; device < cuda.devices; ++device) {
    CudaDeviceInfo info;
    if (!works(api.probe.describe_device(device, &info),
               concat("device ", device, " does not answer")))
      return facts;
    if (device == index)
      facts.update({{"model", concat(info.name, " (", byte_count(static_cast<double>(info.memory)),
                                     ", compute capability ", info.major, ".", info.minor, ")")},
                    {"uuid", info.uuid},
                    {"memory", info.memory}});
    for (int peer = 0; peer < device; ++peer) {
      int there = 0, back = 0;
      api.probe.can_access_peer(&there, peer, device);
      api.probe.can_access_peer(&back, device, peer);
      if (!there || !back) facts["apart"].push_back(concat(peer, " and ", device));
    }
  }
  std::size_t free = 0;
  if (index < cuda.devices &&
      works(api.set_device(index), concat("device ", index, " can't be used")) &&
      works(api.probe.free_memory(&free), concat("device ", index, " gives no memory")))
    facts["free_memory"] = free;
  return facts;
}

json measure_devices(ThisRank& rank) {
  const DoctorRequest& request = rank.request;
  json facts = probe_devices(request.cuda, rank.group.node_rank(), request.share_device);
  facts["conflict"] = "";
  if (rank.group.any(facts["obstacle"] != "", "device agreement")) return facts;
  rank.devices = gather_devices(request.cuda.api, request.share_device, rank.group);
  const std::string conflict = device_conflict(rank.devices, request.share_device);
  facts["conflict"] = conflict.substr(0, conflict.find(". "));
  if (!conflict.empty()) rank.devices.clear();
  return facts;
}

bool lacks_devices(const RankFacts& ranks) {
  const auto obstacles = ranks.texts("obstacle");
  return std::ranges::count(obstacles, "") < std::ssize(obstacles);
}

Judgement judge_devices(const RankFacts& ranks, const DoctorRequest& request) {
  const Verdict wanted =
      request.device == DeviceKind::kCuda ? Verdict::kFailure : Verdict::kWarning;
  const auto obstacles = ranks.texts("obstacle"), uuids = ranks.texts("uuid");
  if (lacks_devices(ranks)) {
    const bool some_have = std::ranges::count(obstacles, "") > 0;
    const std::string differing = ranks.differences(obstacles);
    return {some_have || request.device == DeviceKind::kCuda ? wanted : Verdict::kSkipped,
            concat(some_have ? "not on every rank: " : "no devices: ",
                   differing.empty() ? obstacles.front() : differing)};
  }
  if (const std::string conflict = ranks.text(0, "conflict"); !conflict.empty())
    return {wanted, conflict};
  const Judgement model = ranks.alike("model", Verdict::kWarning);
  if (model.verdict != Verdict::kOk) return model;
  constexpr double kFreeShare = 0.8;  // of a device that no other program uses
  const std::size_t rank = ranks.least("free_memory");
  const double free = ranks.number(rank, "free_memory");
  if (!request.share_device && free < kFreeShare * ranks.number(rank, "memory"))
    return {Verdict::kWarning, concat("of ", model.found, " only ", byte_count(free),
                                      " are free on ", ranks.name(rank))};
  const bool shared = std::set(uuids.begin(), uuids.end()).size() < ranks.size();
  return {Verdict::kOk, concat(shared             ? "shared by ranks: "
                               : ranks.size() > 1 ? "one for each rank: "
                                                  : "",
                               model.found, "; ", ranks.number(0, "visible"), " visible")};
}

Judgement judge_driver(const RankFacts& ranks, const DoctorRequest&) {
  if (lacks_devices(ranks)) return {Verdict::kSkipped, "no devices"};
  const std::size_t rank = ranks.least("driver");
  const auto driver = static_cast<int>(ranks.number(rank, "driver"));
  const auto runtime = static_cast<int>(ranks.number(rank, "runtime"));
  const std::string built = ", this program is built with CUDA " + cuda_version(runtime);
  if (driver < runtime)
    return {driver / 1000 == runtime / 1000 ? Verdict::kWarning : Verdict::kFailure,
            concat("the driver of ", ranks.name(rank), " is ", ranks.text(rank, "driver_version"),
                   built)};
  Judgement judged = ranks.alike("driver_version", Verdict::kWarning);
  judged.found += built;
  return judged;
}

Judgement judge_nccl(const RankFacts& ranks, const DoctorRequest&) {
  if (lacks_devices(ranks)) return {Verdict::kSkipped, "no devices"};
  return ranks.alike("nccl", Verdict::kFailure);
}

Judgement judge_peers(const RankFacts& ranks, const DoctorRequest&) {
  if (lacks_devices(ranks)) return {Verdict::kSkipped, "no devices"};
  bool seen = false;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const auto apart = ranks[rank].value("apart", std::vector<std::string>());
    seen = seen || ranks.number(rank, "visible") > 1;
    if (!apart.empty())
      return {Verdict::kWarning, concat("devices ", join(apart), " of host ",
                                        ranks.text(rank, "host"), " can't reach each other")};
  }
  if (!seen) return {Verdict::kSkipped, "each rank sees one device; NCCL finds its own way"};
  return {Verdict::kOk, "between all devices of every node"};
}

}  // namespace

std::vector<Check> device_checks() {
  return {
      {"devices", "count, model, free memory",
       "a different one on every rank, of one model, not in use by another program",
       "A run computes on processors (--device cpu) unless every rank has a device: start one rank "
       "for each, or let ranks share them (--device cuda:share=true). nvidia-smi shows which "
       "process uses "
       "one. Results are equal to the last bit on one model only",
       measure_devices, judge_devices},
      {"driver", "the driver's CUDA against the program's", "as new, and the same on all ranks",
       "Install a newer driver, or build with a torch for this CUDA; minor versions fit one "
       "another. Results are promised to the last bit for one driver only",
       nullptr, judge_driver},
      {"NCCL", "its version", "the same on all ranks",
       "Start the same build in the same environment everywhere (LD_LIBRARY_PATH, LD_PRELOAD)",
       nullptr, judge_nccl},
      {"peer access", "between the devices of a node", "every device reaches every other",
       "Their data goes through host memory: see `nvidia-smi topo -m`; an IOMMU, PCI access "
       "control (ACS) or a container can be in the way",
       nullptr, judge_peers},
  };
}

}  // namespace palimpsest
