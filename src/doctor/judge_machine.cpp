// Limits and variables of the machine.
#include <algorithm>
#include <map>
#include <set>

#include "palimpsest/core/text.h"
#include "palimpsest/doctor/judge.h"
#include "palimpsest/report/readable.h"

namespace palimpsest {
namespace {

std::string amount(std::int64_t bytes) {
  return bytes == kUnlimited ? "unlimited" : byte_count(static_cast<double>(bytes));
}

// The rank with the least, where unlimited is the most.
std::size_t least(AllFacts ranks, std::int64_t RankFacts::*member) {
  const auto size = [&](const RankFacts& facts) {
    return static_cast<std::uint64_t>(facts.*member);  // kUnlimited becomes the largest
  };
  const auto found = std::ranges::min_element(
      ranks, [&](const RankFacts& a, const RankFacts& b) { return size(a) < size(b); });
  return static_cast<std::size_t>(found - ranks.begin());
}

// By nature another one on each rank or node.
bool is_own(const std::string& name) {
  return name == "CUDA_VISIBLE_DEVICES" || name == "NCCL_HOSTID" || name == "NCCL_DEBUG_FILE";
}

// Of those that turn a path off: what is lost.
std::string price(const std::string& name, const std::string& value) {
  if (value == "0" || value.empty()) return "";
  if (name == "NCCL_P2P_DISABLE") return "devices of a node exchange through host memory";
  if (name == "NCCL_SHM_DISABLE") return "ranks of a node exchange over the network";
  if (name == "NCCL_IB_DISABLE") return "nodes exchange over sockets";
  if (name == "CUDA_LAUNCH_BLOCKING") return "every operation waits for the device";
  return "";
}

}  // namespace

Finding judge_limits(AllFacts ranks) {
  constexpr std::int64_t kRegistered = std::int64_t{1} << 30;
  const std::size_t rank = least(ranks, &RankFacts::locked_memory);
  const RankFacts& facts = ranks[rank];
  const bool is_short = facts.locked_memory != kUnlimited && facts.locked_memory < kRegistered;
  const std::string memory = "locked memory " + amount(facts.locked_memory);
  if (is_short && !facts.infiniband.empty()) {
    return {
        Verdict::kWarning, "limits",
        concat(memory, " on ", rank_name(ranks, rank), ", which has the InfiniBand adapter ",
               facts.infiniband.front()),
        "MPI and NCCL lock the memory that they exchange over it: `ulimit -l unlimited` on every "
        "node (limits.conf; under SLURM LimitMEMLOCK=infinity of slurmd)"};
  }
  return {Verdict::kOk, "limits",
          concat(memory, is_short ? " (enough without InfiniBand)" : "", ", core files ",
                 amount(ranks.front().core_file)),
          ""};
}

Finding judge_shared_memory(AllFacts ranks) {
  constexpr std::int64_t kPerRank = std::int64_t{32} << 20;
  std::map<std::string, std::int64_t> ranks_on;
  for (const RankFacts& facts : ranks) ++ranks_on[facts.node];
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const RankFacts& facts = ranks[rank];
    const std::int64_t needed = kPerRank * ranks_on[facts.node];
    if (facts.shared_memory >= needed || ranks_on[facts.node] == 1) continue;
    return {Verdict::kWarning, "shared memory",
            concat("/dev/shm has ", amount(facts.shared_memory), " for ", ranks_on[facts.node],
                   " ranks on ", rank_name(ranks, rank)),
            "MPI and NCCL exchange through it within a node, and fail when it is full: a container "
            "needs --shm-size=1g or --ipc=host"};
  }
  const std::size_t rank = least(ranks, &RankFacts::shared_memory);
  return {Verdict::kOk, "shared memory",
          concat("/dev/shm has ", amount(ranks[rank].shared_memory),
                 ranks.size() > 1 ? " at least" : ""),
          ""};
}

Finding judge_variables(AllFacts ranks) {
  std::set<std::string> names;
  for (const RankFacts& facts : ranks) {
    for (const auto& [name, value] : facts.environment) names.insert(name);
  }
  names.erase("SLURM_NTASKS");  // seen by judge_ranks
  std::string shown, problem, advice;
  for (const std::string& name : names) {
    std::vector<std::string> values;
    for (const RankFacts& facts : ranks) {
      const auto found = facts.environment.find(name);
      values.push_back(found == facts.environment.end() ? "not set" : found->second);
    }
    const std::string differing = differences(ranks, values);
    if (!differing.empty() && !is_own(name)) {
      problem += concat(problem.empty() ? "" : "; ", name, " differs: ", differing);
      advice = "Set variables to the same on every rank: mpirun -x NAME, or in the batch script";
      continue;
    }
    shown += concat(shown.empty() ? "" : ", ", name, "=",
                    differing.empty() ? values.front() : "(one for each rank)");
    const std::string lost = price(name, values.front());
    if (lost.empty()) continue;
    problem += concat(problem.empty() ? "" : "; ", name, "=", values.front(), ": ", lost);
    if (advice.empty()) advice = "Unset what is left from a search for a fault";
  }
  if (!problem.empty()) return {Verdict::kWarning, "variables", problem, advice};
  return {Verdict::kOk, "variables", shown.empty() ? "none that steers MPI, NCCL or CUDA" : shown,
          ""};
}

}  // namespace palimpsest
