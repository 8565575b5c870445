// Checks of the processes and of the machines that they run on.
#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "palimpsest/comm/mpi_session.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/doctor/check.h"
#include "palimpsest/format/records.h"

namespace palimpsest {
namespace {

using nlohmann::json;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void append(std::string& list, const std::string& more, const char* between = ", ") {
  list += list.empty() ? more : between + more;
}

json measure_mpi(ThisRank&) { return {{"mpi", describe_mpi()}}; }

json measure_rank(ThisRank&) {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;  // differs between nodes of one host name
  std::getline(file, boot);
  return {{"host", host_name()},
          {"node", concat(host_name(), " ", boot)},
          {"job_tasks", variable("SLURM_NTASKS")}};
}

Judgement judge_ranks(const RankFacts& ranks, const DoctorRequest&) {
  constexpr std::size_t kShown = 8;
  const auto nodes = ranks.nodes();
  std::string where;
  for (std::size_t node = 0; node < std::min(nodes.size(), kShown); ++node)
    append(where, concat(ranks.text(nodes[node][0], "host"), " (", rank_list(nodes[node]), ")"));
  if (nodes.size() > kShown) append(where, concat("and ", nodes.size() - kShown, " more"));
  const std::string found =
      concat(counted(ranks.size(), "rank"), " on ", counted(nodes.size(), "node"), ": ", where);
  const std::string tasks = ranks.text(0, "job_tasks");
  if (ranks.size() > 1 || tasks.empty() || tasks == "1") return {Verdict::kOk, found};
  return {Verdict::kWarning, concat(found, ", in a job of ", tasks, " tasks")};
}

json measure_versions(ThisRank& rank) {
  json versions = {{"HDF5", hdf5_version()}, {"executable", sha256_file("/proc/self/exe")}};
  for (const auto& [name, version] : rank.request.versions) versions[name] = version;
  return {{"versions", versions}};
}

// Of an object of texts: the value of `name` on every rank.
std::vector<std::string> values_by_rank(const RankFacts& ranks, const char* fact,
                                        const std::string& name, const char* otherwise) {
  std::vector<std::string> values;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank)
    values.push_back(ranks[rank].value(fact, json::object()).value(name, otherwise));
  return values;
}

Judgement judge_versions(const RankFacts& ranks, const DoctorRequest& request) {
  const std::set<std::string> numerics = {"LibTorch", "processor", "instruction set"};
  Verdict verdict = Verdict::kOk;
  std::string alike, differ;
  for (const auto& [name, version] : ranks[0].at("versions").items()) {
    const auto values = values_by_rank(ranks, "versions", name, "unknown");
    const std::string differing = ranks.differences(values);
    append(alike, concat(name, ' ', name == "executable" ? short_hash(values[0]) : values[0]));
    if (differing.empty()) continue;
    const bool may_differ =
        name == "HDF5" || (request.allow_numerics_change && numerics.contains(name));
    verdict = std::max(verdict, may_differ ? Verdict::kWarning : Verdict::kFailure);
    append(differ, concat(name, " differs: ", differing), "; ");
  }
  if (!differ.empty()) return {verdict, differ};
  return {verdict, alike + (ranks.size() > 1 ? ", on all ranks alike" : "")};
}

json measure_cores(ThisRank&) {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::set<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &set)) cores.insert(core);
  }
  return {{"cores", cores}, {"omp_threads", std::atoi(variable("OMP_NUM_THREADS").c_str())}};
}

Judgement judge_threads(const RankFacts& ranks, const DoctorRequest& request) {
  const auto threads = static_cast<std::size_t>(request.threads);
  std::string fits;
  for (const auto& node : ranks.nodes()) {
    std::set<int> cores;
    double allowed = 0;  // by OMP_NUM_THREADS, to libraries
    for (const std::size_t rank : node) {
      const auto own = ranks[rank].value("cores", std::set<int>());
      cores.insert(own.begin(), own.end());
      allowed += ranks.number(rank, "omp_threads");
      if (own.size() < threads)
        return {Verdict::kWarning,
                concat(ranks.name(rank), " is bound to ", counted(own.size(), "core"), " for ",
                       threads, " threads")};
    }
    const std::string load =
        concat(counted(node.size(), "rank"), " of ", counted(threads, "thread"), " on ",
               counted(cores.size(), "core"));
    const std::string host = " of host " + ranks.text(node[0], "host");
    if (node.size() * threads > cores.size()) return {Verdict::kWarning, load + host};
    if (allowed > static_cast<double>(cores.size()))
      return {Verdict::kWarning,
              concat(load, host, ", where OMP_NUM_THREADS allows ", allowed, " threads")};
    if (fits.empty()) fits = load;
  }
  const double omp = ranks.number(0, "omp_threads");
  return {Verdict::kOk,
          fits + (omp > 0 ? concat(", OMP_NUM_THREADS=", omp) : ", OMP_NUM_THREADS not set")};
}

constexpr double kUnlimited = 1e30;

std::string amount(double bytes) { return bytes >= kUnlimited ? "unlimited" : byte_count(bytes); }

double limit(__rlimit_resource resource) {
  rlimit found{};
  if (getrlimit(resource, &found) != 0 || found.rlim_cur == RLIM_INFINITY) return kUnlimited;
  return static_cast<double>(found.rlim_cur);
}

json measure_limits(ThisRank&) {
  std::string adapters;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/infiniband", none))
    append(adapters, entry.path().filename());
  return {{"locked_memory", limit(RLIMIT_MEMLOCK)},
          {"core_file", limit(RLIMIT_CORE)},
          {"infiniband", adapters}};
}

Judgement judge_limits(const RankFacts& ranks, const DoctorRequest&) {
  constexpr double kRegistered = 1 << 30;
  const std::size_t rank = ranks.least("locked_memory");
  const double locked = ranks.number(rank, "locked_memory");
  const std::string adapters = ranks.text(rank, "infiniband");
  if (locked < kRegistered && !adapters.empty())
    return {Verdict::kWarning, concat("locked memory ", amount(locked), " on ", ranks.name(rank),
                                      ", which has ", "InfiniBand (", adapters, ")")};
  return {Verdict::kOk, concat("locked memory ", amount(locked),
                               locked < kRegistered ? " (enough without InfiniBand)" : "",
                               ", core files ", amount(ranks.number(0, "core_file")))};
}

json measure_shared_memory(ThisRank&) {
  struct statvfs found {};
  const bool is_there = statvfs("/dev/shm", &found) == 0;
  return {{"shared_memory", is_there ? found.f_blocks * found.f_frsize : 0}};
}

Judgement judge_shared_memory(const RankFacts& ranks, const DoctorRequest&) {
  constexpr double kPerRank = 32 << 20;
  for (const auto& node : ranks.nodes()) {
    const double bytes = ranks.number(node[0], "shared_memory");
    if (node.size() > 1 && bytes < kPerRank * static_cast<double>(node.size()))
      return {Verdict::kWarning, concat("/dev/shm has ", amount(bytes), " for ", node.size(),
                                        " ranks of host ", ranks.text(node[0], "host"))};
  }
  const double least = ranks.number(ranks.least("shared_memory"), "shared_memory");
  return {Verdict::kOk,
          concat("/dev/shm has ", amount(least), ranks.size() > 1 ? " at least" : "")};
}

// Of Open MPI's, those that choose its paths: the launcher sets many others for itself.
constexpr std::array<std::string_view, 12> kSteering = {"NCCL_",
                                                        "UCX_",
                                                        "OMPI_MCA_btl",
                                                        "OMPI_MCA_pml",
                                                        "OMPI_MCA_mtl",
                                                        "OMPI_MCA_coll",
                                                        "CUDA_VISIBLE_DEVICES",
                                                        "OMP_NUM_THREADS",
                                                        "HDF5_USE_FILE_LOCKING",
                                                        "ATEN_CPU_CAPABILITY",
                                                        "CUDA_LAUNCH_BLOCKING",
                                                        "CUBLAS_WORKSPACE_CONFIG"};

json measure_variables(ThisRank&) {
  json found = json::object();
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view text = *each, name = text.substr(0, text.find('='));
    for (const std::string_view beginning : kSteering)
      if (name.starts_with(beginning) && name.size() < text.size())
        found[std::string(name)] = text.substr(name.size() + 1);
  }
  return {{"variables", found}};
}

Judgement judge_variables(const RankFacts& ranks, const DoctorRequest&) {
  // By nature another one on each rank or node.
  const std::set<std::string> own = {"CUDA_VISIBLE_DEVICES", "NCCL_HOSTID", "NCCL_DEBUG_FILE"};
  // What is lost where they are set.
  const std::map<std::string, std::string> prices = {
      {"NCCL_P2P_DISABLE", "devices of a node exchange through host memory"},
      {"NCCL_SHM_DISABLE", "ranks of a node exchange over the network"},
      {"NCCL_IB_DISABLE", "nodes exchange over sockets"},
      {"CUDA_LAUNCH_BLOCKING", "every operation waits for the device"}};
  std::set<std::string> names;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const json variables = ranks[rank].value("variables", json::object());
    for (const auto& [name, value] : variables.items()) names.insert(name);
  }
  std::string shown, problem;
  for (const std::string& name : names) {
    const auto values = values_by_rank(ranks, "variables", name, "not set");
    const std::string differing = ranks.differences(values), &value = values.front();
    append(shown, concat(name, "=", differing.empty() ? value : "(one for each rank)"));
    if (!differing.empty() && !own.contains(name))
      append(problem, concat(name, " differs: ", differing), "; ");
    else if (prices.contains(name) && value != "0" && value != "not set")
      append(problem, concat(name, "=", value, ": ", prices.at(name)), "; ");
  }
  if (!problem.empty()) return {Verdict::kWarning, problem};
  return {Verdict::kOk, shown.empty() ? "none that steers MPI, NCCL or CUDA" : shown};
}

}  // namespace

std::vector<Check> job_checks() {
  return {
      {"MPI", "library, standard and thread level", "alike on all ranks",
       "Start every rank with the MPI of the build", measure_mpi,
       [](const RankFacts& ranks, const DoctorRequest&) {
         return ranks.alike("mpi", Verdict::kFailure);
       }},
      {"ranks", "ranks of each node", "as many ranks as SLURM's job has tasks",
       "Start all of them with launch/mpirun.sh -n TASKS", measure_rank, judge_ranks},
      {"versions", "program, executable (SHA-256), LibTorch, HDF5, processor, instruction set",
       "alike on all ranks: a run would refuse most of what differs",
       "Start the same build on every node, in the same environment; to the last bit, results are "
       "equal on one kind of processor only (--allow-numerics-change lets it differ)",
       measure_versions, judge_versions},
      {"threads", "ranks x threads of --device against the cores they may use, OMP_NUM_THREADS",
       "no more threads than cores",
       "Start fewer ranks there, lower the threads of --device, or set OMP_NUM_THREADS to it; "
       "launch/mpirun.sh "
       "binds ranks to no core",
       measure_cores, judge_threads},
      {"limits", "ulimit -l, ulimit -c", "1 GiB of locked memory where there is InfiniBand",
       "MPI and NCCL lock the memory that they exchange over it: `ulimit -l unlimited` on every "
       "node (limits.conf; under SLURM LimitMEMLOCK=infinity of slurmd)",
       measure_limits, judge_limits},
      {"shared memory", "size of /dev/shm", "32 MiB a rank, where ranks share a node",
       "MPI and NCCL exchange through it within a node, and fail when it is full: a container "
       "needs --shm-size=1g or --ipc=host",
       measure_shared_memory, judge_shared_memory},
      {"variables", "those that steer NCCL, UCX, Open MPI's paths, CUDA, HDF5",
       "alike on all ranks, and no path switched off",
       "Set variables to the same on every rank (mpirun -x NAME, or in the batch script), and "
       "unset what is left from a search for a fault",
       measure_variables, judge_variables},
  };
}

}  // namespace palimpsest
