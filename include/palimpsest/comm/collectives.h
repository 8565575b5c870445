#pragma once
// Moving arrays between ranks: over MPI for host memory, over NCCL for device memory, or within one
// process.
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "palimpsest/comm/host_group.h"

namespace palimpsest {

enum class DataType { kFloat32, kFloat64 };

// Bytes of one element.
std::size_t element_size(DataType type);

// `count` elements at `data`. `stream`: the CUDA stream that produces and consumes them; null for
// host memory.
struct Buffer {
  void* data = nullptr;
  std::size_t count = 0;
  DataType type = DataType::kFloat32;
  void* stream = nullptr;
};

// One side of a point-to-point copy. Between two ranks, the k-th send matches the k-th receive.
struct Transfer {
  int peer = 0;
  Buffer buffer;
};

class Collectives {
 public:
  virtual ~Collectives() = default;
  virtual std::string_view name() const = 0;  // "single", "mpi", "nccl"
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // In place; every rank gets the same bits.
  virtual void all_reduce_sum(Buffer buffer) = 0;
  // All copies at once, none ordered before another. A transfer to the rank itself, or to none of
  // the ranks, is an Error.
  virtual void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) = 0;

  // Returns when all that was queued on `stream` is done; at once where nothing is ever queued. The
  // way for the host to wait for a device: a collective that a lost peer never joins blocks its
  // stream forever, and this call runs into the watchdog's deadline or the communicator's error.
  virtual void wait(void* stream) = 0;
};

// Throws Error when a transfer names this rank, or none, as its peer.
void require_other_ranks(std::span<const Transfer> transfers, const Collectives& collectives);

std::unique_ptr<Collectives> make_single_collectives();
// Over a duplicate of MPI_COMM_WORLD; errors as in HostGroup. A buffer with a stream is an Error:
// MPI gets host memory only.
std::unique_ptr<Collectives> make_mpi_collectives(Watchdog& watchdog,
                                                  std::size_t largest_message = kLargestMessage);

}  // namespace palimpsest
