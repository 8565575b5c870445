#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "palimpsest/comm/session.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/host_name.h"
#include "palimpsest/doctor/facts.h"
#include "palimpsest/format/probe_file.h"

namespace palimpsest {
namespace {

// The first line of a file of the system; empty where there is none.
std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

std::int64_t limit(__rlimit_resource resource) {
  rlimit found{};
  if (getrlimit(resource, &found) != 0 || found.rlim_cur == RLIM_INFINITY) return kUnlimited;
  return static_cast<std::int64_t>(found.rlim_cur);
}

std::int64_t size_of_file_system(const char* folder) {
  struct statvfs found {};
  if (statvfs(folder, &found) != 0) return 0;
  return static_cast<std::int64_t>(found.f_blocks * found.f_frsize);
}

std::vector<std::string> infiniband_adapters() {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/infiniband", none)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

std::map<std::string, std::string> steering_environment() {
  std::map<std::string, std::string> found;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::string_view name = text.substr(0, text.find('='));
    if (name.size() < text.size() && steers_a_run(name)) {
      found.emplace(name, text.substr(name.size() + 1));
    }
  }
  return found;
}

}  // namespace

RankFacts probe_machine(int node_rank, std::vector<std::pair<std::string, std::string>> versions) {
  const MpiDescription mpi = describe_mpi();
  versions.emplace_back("MPI", mpi.library);
  versions.emplace_back("HDF5", hdf5_version());
  versions.emplace_back("executable", sha256_of_file("/proc/self/exe"));
  RankFacts facts;
  facts.host = host_name();
  facts.node = facts.host + " " + first_line("/proc/sys/kernel/random/boot_id");
  facts.node_rank = node_rank;
  facts.mpi_standard = mpi.standard;
  facts.mpi_thread_level = mpi.thread_level;
  facts.versions = std::move(versions);
  facts.cores = allowed_cores();
  facts.locked_memory = limit(RLIMIT_MEMLOCK);
  facts.core_file = limit(RLIMIT_CORE);
  facts.shared_memory = size_of_file_system("/dev/shm");
  facts.infiniband = infiniband_adapters();
  facts.environment = steering_environment();
  return facts;
}

}  // namespace palimpsest
