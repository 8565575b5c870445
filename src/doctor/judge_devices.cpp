// What the devices are, and whether driver, NCCL and ranks fit them.
#include <algorithm>
#include <iterator>
#include <set>

#include "palimpsest/core/text.h"
#include "palimpsest/doctor/judge.h"
#include "palimpsest/report/readable.h"

namespace palimpsest {
namespace {

constexpr double kFreeShare = 0.8;  // of a device that nobody else uses

std::string cuda_version(int number) {
  return number == 0 ? "unknown" : concat(number / 1000, ".", number % 1000 / 10);
}

std::string nccl_version(int number) {
  return number == 0 ? "unknown"
                     : concat(number / 10000, ".", number % 10000 / 100, ".", number % 100);
}

bool has_device(const RankFacts& facts) {
  return facts.device.obstacle.empty() && facts.device.index < std::ssize(facts.device.visible);
}

const CudaDeviceInfo& own_device(const RankFacts& facts) {
  return facts.device.visible[static_cast<std::size_t>(facts.device.index)];
}

std::string model(const RankFacts& facts) {
  const CudaDeviceInfo& device = own_device(facts);
  return concat(device.name, " (", byte_count(static_cast<double>(device.memory)),
                ", compute capability ", device.major, ".", device.minor, ")");
}

std::string visible_variable(AllFacts ranks) {
  std::vector<std::string> values;
  for (const RankFacts& facts : ranks) {
    const auto found = facts.environment.find("CUDA_VISIBLE_DEVICES");
    values.push_back(found == facts.environment.end() ? "" : found->second);
  }
  if (!differences(ranks, values).empty()) return "CUDA_VISIBLE_DEVICES is another one by rank";
  return values.front().empty() ? "CUDA_VISIBLE_DEVICES is not set"
                                : "CUDA_VISIBLE_DEVICES=" + values.front();
}

// The lines of a world in which no rank has a device, or some lack one.
std::vector<Finding> without_devices(AllFacts ranks, const DoctorRequest& request) {
  std::vector<std::string> obstacles;
  bool some_have = false;
  for (const RankFacts& facts : ranks) {
    some_have = some_have || facts.device.obstacle.empty();
    obstacles.push_back(facts.device.obstacle.empty() ? "there is one" : facts.device.obstacle);
  }
  const std::string differing = differences(ranks, obstacles);
  Finding devices{Verdict::kSkipped, "devices",
                  concat(some_have ? "not on every rank: " : "no devices: ",
                         differing.empty() ? obstacles.front() : differing),
                  ""};
  if (request.device == "cuda") {
    devices.verdict = Verdict::kFailure;
    devices.advice = "--device cuda needs one on every rank; --device cpu computes on processors";
  } else if (some_have) {
    devices.verdict = Verdict::kWarning;
    devices.advice = "A run computes on processors everywhere unless every rank has a device";
  }
  std::vector<Finding> findings = {devices};
  for (const char* check : {"driver", "NCCL", "peer access"}) {
    findings.push_back({Verdict::kSkipped, check, "no devices", ""});
  }
  return findings;
}

Finding judge_placement(AllFacts ranks, const std::string& conflict, const DoctorRequest& request) {
  if (!conflict.empty()) {
    const bool asked_for = request.device == "cuda";
    return {asked_for ? Verdict::kFailure : Verdict::kWarning, "devices",
            asked_for ? conflict : conflict.substr(0, conflict.find(". ")),
            asked_for ? ""
                      : "A run computes on processors: start one rank per device, or let ranks "
                        "share them (--device cuda:share=true)"};
  }
  std::vector<std::string> models;
  std::set<std::string> devices;
  for (const RankFacts& facts : ranks) {
    models.push_back(model(facts));
    devices.insert(own_device(facts).uuid);
  }
  const std::string differing = differences(ranks, models);
  if (!differing.empty()) {
    return {Verdict::kWarning, "devices", "devices differ: " + differing,
            "To the last bit, results are equal on one model only, and all wait for the slowest"};
  }
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const auto memory = static_cast<double>(own_device(ranks[rank]).memory);
    const auto free = static_cast<double>(ranks[rank].device.free_memory);
    if (free < kFreeShare * memory && !request.share_device) {
      return {Verdict::kWarning, "devices",
              concat("of ", model(ranks[rank]), " only ", byte_count(free), " are free on ",
                     rank_name(ranks, rank)),
              "Another process uses it: nvidia-smi shows which"};
    }
  }
  const bool shared = request.share_device && devices.size() < ranks.size();
  return {Verdict::kOk, "devices",
          concat(shared             ? "shared by ranks: "
                 : ranks.size() > 1 ? "one for each rank: "
                                    : "",
                 models.front(), "; ", ranks.front().device.visible.size(), " visible, ",
                 visible_variable(ranks)),
          ""};
}

Finding judge_driver(AllFacts ranks) {
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const DeviceFacts& device = ranks[rank].device;
    if (device.driver >= device.runtime) continue;
    const bool same_major = device.driver / 1000 == device.runtime / 1000;
    return {same_major ? Verdict::kWarning : Verdict::kFailure, "driver",
            concat("the driver ", device.kernel_driver, " of ", rank_name(ranks, rank),
                   " knows CUDA ", cuda_version(device.driver), ", this program is built with ",
                   cuda_version(device.runtime)),
            same_major ? "Minor versions fit one another, but a newer driver is safer"
                       : concat("Install a driver for CUDA ", cuda_version(device.runtime),
                                ", or build with a torch for CUDA ", device.driver / 1000)};
  }
  std::vector<std::string> drivers;
  for (const RankFacts& facts : ranks) {
    drivers.push_back(facts.device.kernel_driver + ", CUDA " + cuda_version(facts.device.driver));
  }
  const std::string differing = differences(ranks, drivers);
  if (!differing.empty()) {
    return {Verdict::kWarning, "driver", "drivers differ: " + differing,
            "To the last bit, results are promised for one driver only"};
  }
  const DeviceFacts& first = ranks.front().device;
  return {Verdict::kOk, "driver",
          concat(first.kernel_driver.empty() ? "" : first.kernel_driver + ", ", "CUDA ",
                 cuda_version(first.driver), ", for a program built with CUDA ",
                 cuda_version(first.runtime)),
          ""};
}

Finding judge_nccl(AllFacts ranks) {
  std::vector<std::string> versions;
  for (const RankFacts& facts : ranks) versions.push_back(nccl_version(facts.device.nccl));
  const std::string differing = differences(ranks, versions);
  if (!differing.empty()) {
    return {
        Verdict::kFailure, "NCCL", "versions differ: " + differing,
        "Start the same build in the same environment everywhere (LD_LIBRARY_PATH, LD_PRELOAD)"};
  }
  return {Verdict::kOk, "NCCL", versions.front(), ""};
}

Finding judge_peers(AllFacts ranks) {
  bool asked = false;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const DeviceFacts& device = ranks[rank].device;
    if (ranks[rank].node_rank != 0 || device.visible.size() < 2) continue;
    asked = true;
    if (device.apart.empty()) continue;
    const auto [one, other] = device.apart.front();
    return {Verdict::kWarning, "peer access",
            concat("devices ", one, " and ", other,
                   device.apart.size() > 1 ? concat(" and ", device.apart.size() - 1, " more pairs")
                                           : "",
                   " of host ", ranks[rank].host, " can't reach each other"),
            "Their data goes through host memory: see `nvidia-smi topo -m`; an IOMMU, PCI access "
            "control (ACS) or a container can be in the way"};
  }
  if (!asked) {
    return {Verdict::kSkipped, "peer access", "each rank sees one device; NCCL finds its own way",
            ""};
  }
  return {Verdict::kOk, "peer access", "between all devices of every node", ""};
}

}  // namespace

std::vector<Finding> judge_devices(AllFacts ranks, const std::string& conflict,
                                   const DoctorRequest& request) {
  const bool some_lack = std::ranges::any_of(
      ranks, [](const RankFacts& facts) { return !facts.device.obstacle.empty(); });
  if (some_lack) return without_devices(ranks, request);
  const bool all_have = std::ranges::all_of(ranks, has_device);
  Finding placement = all_have || !conflict.empty()
                          ? judge_placement(ranks, conflict, request)
                          : Finding{Verdict::kFailure, "devices", "a rank has none", ""};
  return {std::move(placement), judge_driver(ranks), judge_nccl(ranks), judge_peers(ranks)};
}

}  // namespace palimpsest
