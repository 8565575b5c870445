#pragma once
// What every use of MPI shares: one check of return codes, and a communicator that is ours
// alone.
#include <mpi.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <string>
#include <string_view>

#include "palimpsest/comm/mpi_session.h"
#include "palimpsest/comm/watchdog.h"

namespace palimpsest {

// Throws when `code` is an error of `call`: Error for a wrong argument, RankLostError for
// everything else.
void check_mpi(int code, std::string_view call, const Watchdog& watchdog);

// A phase that is a collective.
struct CollectivePhase {
  Watchdog::Phase phase;
  CollectivePhase(Watchdog& watchdog, std::string_view name) : phase(watchdog, name) {
    watchdog.collective(name);
  }
};

// "rank 1 (host h)"; where MPI does not run, "host h".
std::string this_process();

// A duplicate of MPI_COMM_WORLD that returns its errors. Freed at the end, but not while an
// exception unwinds: peers would have to take part in that.
class Communicator {
 public:
  explicit Communicator(const Watchdog& watchdog);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  MPI_Comm get() const { return comm_; }
  int rank() const { return rank_; }
  int size() const { return size_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  int exceptions_;
};

// Calls part(offset, count) for consecutive parts of `total` elements, none larger than `largest`.
template <typename Part>
void in_parts(std::size_t total, std::size_t largest, const Part& part) {
  const std::size_t step = std::min<std::size_t>(largest, INT_MAX);
  for (std::size_t offset = 0; offset < total; offset += step) {
    part(offset, static_cast<int>(std::min(step, total - offset)));
  }
}

}  // namespace palimpsest
