#pragma once
// The life of MPI in this process: initialised before anything else, finalised after everything
// else.
#include <functional>
#include <optional>
#include <string>

namespace palimpsest {

// How many tasks srun started in this step; nothing where another launcher (or none) started this
// process. `environment` is std::getenv or a substitute; null for a variable that is not set.
std::optional<int> srun_tasks(const std::function<const char*(const char*)>& environment);

// The MPI that this process runs with: "Open MPI v4.1.4, standard 3.1, thread level multiple".
std::string describe_mpi();

class MpiSession {
 public:
  // MPI_Init_thread with MPI_THREAD_MULTIPLE demanded; errors are returned, not fatal. Under srun,
  // the world size must be the number of its tasks: "every rank thinks it is rank 0" is caught
  // here. Throws Error.
  MpiSession();
  // MPI_Finalize; left out while an exception unwinds (then abort() is the way out).
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  // Ends all ranks now, with this exit code. Never returns, and never waits for a peer longer than
  // 2 s. From any thread.
  [[noreturn]] static void abort(int exit_code);

 private:
  int exceptions_;  // alive when the session began
};

}  // namespace palimpsest
