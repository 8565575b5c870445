// What the ranks are, and in what they must be alike.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "palimpsest/core/text.h"
#include "palimpsest/doctor/judge.h"

namespace palimpsest {
namespace {

std::string variable(const RankFacts& facts, const char* name) {
  const auto found = facts.environment.find(name);
  return found == facts.environment.end() ? "" : found->second;
}

// The ranks of each node, in the order of their lowest.
std::vector<std::vector<std::size_t>> by_node(AllFacts ranks) {
  std::vector<std::vector<std::size_t>> nodes;
  std::map<std::string, std::size_t> place;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const auto [found, is_new] = place.emplace(ranks[rank].node, nodes.size());
    if (is_new) nodes.emplace_back();
    nodes[found->second].push_back(rank);
  }
  return nodes;
}

std::string counted(std::size_t count, const std::string& what) {
  return concat(count, " ", what, count == 1 ? "" : "s");
}

// Of what has this name, by rank.
std::vector<std::string> versions_of(AllFacts ranks, const std::string& name) {
  std::vector<std::string> values(ranks.size(), "unknown");
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    for (const auto& [each, value] : ranks[rank].versions) {
      if (each == name) values[rank] = value;
    }
  }
  return values;
}

}  // namespace

std::string rank_name(AllFacts ranks, std::size_t rank) {
  return concat("rank ", rank, " (host ", ranks[rank].host, ")");
}

std::string rank_list(std::span<const std::size_t> ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t last = i;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    text += concat(i > 0 ? ", " : "", ranks[i]);
    if (last > i) text += concat("-", ranks[last]);
    i = last + 1;
  }
  return text;
}

std::string differences(AllFacts ranks, std::span<const std::string> values) {
  std::map<std::string, std::vector<std::size_t>> ranks_of;
  for (std::size_t rank = 0; rank < values.size(); ++rank) ranks_of[values[rank]].push_back(rank);
  if (ranks_of.size() < 2) return "";
  std::vector<std::pair<std::string, std::vector<std::size_t>>> groups(ranks_of.begin(),
                                                                       ranks_of.end());
  std::ranges::stable_sort(groups, [](const auto& left, const auto& right) {
    return left.second.size() > right.second.size();
  });
  std::string text;
  for (const auto& [value, holders] : groups) {
    text += concat(text.empty() ? "" : "; ", "'", value, "' on ",
                   holders.size() == 1 ? rank_name(ranks, holders[0]) : rank_list(holders));
  }
  return text;
}

Finding judge_mpi(AllFacts ranks) {
  const RankFacts& first = ranks.front();
  for (const auto& [name, value] : first.versions) {
    if (name == "MPI") {
      return {Verdict::kOk, "MPI",
              concat(value, ", standard ", first.mpi_standard, ", thread level ",
                     first.mpi_thread_level),
              ""};
    }
  }
  return {Verdict::kFailure, "MPI", "no version is known", "Start with the MPI of the build"};
}

Finding judge_ranks(AllFacts ranks) {
  constexpr std::size_t kShown = 8;
  const auto nodes = by_node(ranks);
  std::string where;
  for (std::size_t node = 0; node < nodes.size() && node < kShown; ++node) {
    where += concat(node > 0 ? ", " : "", ranks[nodes[node].front()].host, " (",
                    rank_list(nodes[node]), ")");
  }
  if (nodes.size() > kShown) where += concat(", and ", nodes.size() - kShown, " more");
  Finding finding{
      Verdict::kOk, "ranks",
      concat(counted(ranks.size(), "rank"), " on ", counted(nodes.size(), "node"), ": ", where),
      ""};
  const std::string tasks = variable(ranks.front(), "SLURM_NTASKS");
  if (ranks.size() == 1 && !tasks.empty() && tasks != "1") {
    finding.verdict = Verdict::kWarning;
    finding.found += concat(", in a job of ", tasks, " tasks");
    finding.advice = concat("Start all of them: launch/mpirun.sh -n ", tasks, " ...");
  }
  return finding;
}

Finding judge_versions(AllFacts ranks, const DoctorRequest& request) {
  const std::set<std::string> may_differ = {"HDF5"};
  const std::set<std::string> numerics = {"LibTorch", "processor", "instruction set"};
  Finding finding{Verdict::kOk, "versions", "", ""};
  std::string alike;
  for (const auto& [name, value] : ranks.front().versions) {
    const std::string differing = differences(ranks, versions_of(ranks, name));
    if (differing.empty()) {
      alike += concat(alike.empty() ? "" : ", ", name, " ",
                      name == "executable" ? value.substr(0, 12) : value);
      continue;
    }
    const bool tolerated =
        may_differ.contains(name) || (request.allow_numerics_change && numerics.contains(name));
    finding.verdict = std::max(finding.verdict, tolerated ? Verdict::kWarning : Verdict::kFailure);
    finding.found += concat(finding.found.empty() ? "" : "; ", name, " differs: ", differing);
  }
  if (finding.verdict == Verdict::kOk) {
    finding.found = alike + (ranks.size() > 1 ? ", on all ranks alike" : "");
  } else {
    finding.advice =
        "Start the same build on every node, in the same environment; to the last bit, results "
        "are equal on one kind of processor only (--allow-numerics-change lets it differ)";
  }
  return finding;
}

Finding judge_threads(AllFacts ranks, const DoctorRequest& request) {
  const auto threads = static_cast<std::size_t>(request.threads);
  const std::string omp = variable(ranks.front(), "OMP_NUM_THREADS");
  std::string found, problem, advice;
  for (const auto& node : by_node(ranks)) {
    std::set<int> cores;
    std::size_t libraries = 0;  // threads that OMP_NUM_THREADS allows
    for (const std::size_t rank : node) {
      cores.insert(ranks[rank].cores.begin(), ranks[rank].cores.end());
      libraries += static_cast<std::size_t>(
          std::max(0, std::atoi(variable(ranks[rank], "OMP_NUM_THREADS").c_str())));
      if (ranks[rank].cores.size() < threads && problem.empty()) {
        problem = concat(rank_name(ranks, rank), " is bound to ",
                         counted(ranks[rank].cores.size(), "core"), " for ", threads, " threads");
        advice =
            "Give it more cores (launch/mpirun.sh binds to none), or lower the threads of --device";
      }
    }
    const std::string host = ranks[node.front()].host;
    const std::string load =
        concat(counted(node.size(), "rank"), " of ", counted(threads, "thread"), " on ",
               counted(cores.size(), "core"));
    if (found.empty()) found = load;
    if (!problem.empty()) continue;
    if (node.size() * threads > cores.size()) {
      problem = concat(load, " of host ", host);
      advice =
          "Start fewer ranks there, or lower the threads of --device: ranks that share a core wait";
    } else if (libraries > cores.size()) {
      problem =
          concat(load, " of host ", host, ", where OMP_NUM_THREADS allows ", libraries, " threads");
      advice = concat("Set OMP_NUM_THREADS to ", threads);
    }
  }
  if (omp.empty()) {
    found += ", OMP_NUM_THREADS not set";
  } else {
    found += ", OMP_NUM_THREADS=" + omp;
  }
  if (problem.empty()) return {Verdict::kOk, "threads", found, ""};
  return {Verdict::kWarning, "threads", problem, advice};
}

}  // namespace palimpsest
