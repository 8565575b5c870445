#include "mpi_check.h"

#include <unistd.h>

#include <array>
#include <exception>

#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

bool is_wrong_argument(int code) {
  int error_class = MPI_ERR_UNKNOWN;
  MPI_Error_class(code, &error_class);
  constexpr std::array kClasses = {MPI_ERR_BUFFER, MPI_ERR_COUNT, MPI_ERR_TYPE, MPI_ERR_TAG,
                                   MPI_ERR_COMM,   MPI_ERR_RANK,  MPI_ERR_ROOT, MPI_ERR_TRUNCATE,
                                   MPI_ERR_ARG,    MPI_ERR_OP};
  return std::find(kClasses.begin(), kClasses.end(), error_class) != kClasses.end();
}

bool mpi_runs() {
  int initialized = 0;
  int finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized && !finalized;
}

}  // namespace

void check_mpi(int code, std::string_view call, const Watchdog& watchdog) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  const std::string cause = concat(call, " failed on ", this_process(), " in ", watchdog.position(),
                                   ": ", std::string_view(text.data(), length));
  if (is_wrong_argument(code)) {
    throw Error(cause + ". All ranks must pass the same sizes and roots in the same order");
  }
  throw RankLostError(
      cause + ". A peer or the network is gone; look for the first message of another rank");
}

std::string this_process() {
  if (!mpi_runs()) return "host " + host_name();
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return concat("rank ", rank, " (host ", host_name(), ")");
}

Communicator::Communicator(const Watchdog& watchdog) : exceptions_(std::uncaught_exceptions()) {
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &comm_), "MPI_Comm_dup", watchdog);
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler", watchdog);
  check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank", watchdog);
  check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size", watchdog);
}

Communicator::~Communicator() {
  if (std::uncaught_exceptions() == exceptions_) MPI_Comm_free(&comm_);
}

}  // namespace palimpsest
