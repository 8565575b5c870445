#include "palimpsest/comm/mpi_session.h"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <thread>

#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// A single process needs no daemon of Open MPI's, which takes 0.2 s to start. Without daemons all
// single processes on a node have the same session folder, and one that ends may remove it while
// another starts, which then fails. They need no such folder either; a daemon would.
void start_without_daemon() {
  setenv("OMPI_MCA_ess_singleton_isolated", "1", /*overwrite=*/0);
  if (std::getenv("OMPI_MCA_ess_singleton_isolated") == std::string_view("1"))
    setenv("OMPI_MCA_orte_create_session_dirs", "0", /*overwrite=*/0);
}

void require_thread_multiple() {
  int provided = MPI_THREAD_SINGLE;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) {
    throw Error(
        "MPI_Init_thread failed. Check that the program starts with the mpirun of the MPI it was "
        "built with");
  }
  if (provided < MPI_THREAD_MULTIPLE) {
    MPI_Finalize();
    throw Error(concat("MPI_THREAD_MULTIPLE (", MPI_THREAD_MULTIPLE,
                       ") is needed, and this MPI provides level ", provided,
                       ". Use an MPI built with full thread support"));
  }
}

void require_srun_size() {
  const auto tasks = srun_tasks([](const char* name) -> const char* { return std::getenv(name); });
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (const char* const world = std::getenv("WORLD_SIZE");
      size == 1 && world != nullptr && std::getenv("TORCHELASTIC_RUN_ID") != nullptr &&
      std::string_view(world) != "1") {
    MPI_Finalize();
    throw Error(concat(
        "torchrun started ", world,
        " processes, which MPI doesn't know of. Start them with launch/mpirun.sh -n ", world));
  }
  if (tasks && *tasks != size) {
    MPI_Finalize();
    throw Error(concat("srun started ", *tasks, " tasks, but MPI sees a world of ", size,
                       ": srun and MPI report different numbers of ranks. Use `srun --mpi=pmix`, "
                       "or mpirun within the job"));
  }
}

}  // namespace

std::optional<int> srun_tasks(const std::function<const char*(const char*)>& environment) {
  const bool by_srun = environment("SLURM_STEP_ID") && environment("SLURM_PROCID") &&
                       !environment("OMPI_COMM_WORLD_SIZE") &&
                       !environment("MPI_LOCALNRANKS");  // Hydra starts its helpers by srun
  const char* tasks = environment("SLURM_STEP_NUM_TASKS");
  if (!tasks) tasks = environment("SLURM_NTASKS");
  if (!by_srun || !tasks) return std::nullopt;
  return std::atoi(tasks);
}

std::string describe_mpi() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> library{};
  int length = 0, version = 0, subversion = 0, level = 0;
  MPI_Get_library_version(library.data(), &length);
  MPI_Get_version(&version, &subversion);
  MPI_Query_thread(&level);
  // What follows the first comma, or line, is who built it and when.
  std::string name(library.data(), static_cast<std::size_t>(length));
  name.resize(std::min({name.find(','), name.find('\n'), name.size()}));
  return concat(name, ", standard ", version, ".", subversion, ", thread level ",
                level == MPI_THREAD_MULTIPLE ? "multiple" : concat("number ", level));
}

MpiSession::MpiSession() : exceptions_(std::uncaught_exceptions()) {
  if (!is_launched()) start_without_daemon();
  require_thread_multiple();
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  require_srun_size();
}

MpiSession::~MpiSession() {
  if (std::uncaught_exceptions() == exceptions_) MPI_Finalize();
}

void MpiSession::abort(int exit_code) {
  // Flushing waits where another thread has locked the stream, and MPI_Abort where MPI itself is
  // stuck.
  std::thread([exit_code] {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    std::_Exit(exit_code);
  }).detach();
  std::fflush(nullptr);
  int initialized = 0;
  int finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  if (initialized && !finalized) MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace palimpsest
