#include <vector>

#include "mpi_check.h"
#include "palimpsest/comm/collectives.h"
#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

MPI_Datatype mpi_type(DataType type) { return type == DataType::kFloat32 ? MPI_FLOAT : MPI_DOUBLE; }

std::byte* element(const Buffer& buffer, std::size_t index) {
  return static_cast<std::byte*>(buffer.data) + index * element_size(buffer.type);
}

void require_host_memory(const Buffer& buffer) {
  if (buffer.stream)
    throw Error(
        "MPI collectives were given a buffer with a CUDA stream; device memory goes through NCCL");
}

class MpiCollectives final : public Collectives {
 public:
  MpiCollectives(Watchdog& watchdog, std::size_t largest_message)
      : watchdog_(watchdog), world_(watchdog), largest_message_(largest_message) {}

  std::string_view name() const override { return "mpi"; }
  int rank() const override { return world_.rank(); }
  int size() const override { return world_.size(); }

  void all_reduce_sum(Buffer buffer) override {
    const CollectivePhase phase(watchdog_, "all-reduce");
    require_host_memory(buffer);
    in_parts(buffer.count, largest_message_, [&](std::size_t offset, int count) {
      check_mpi(MPI_Allreduce(MPI_IN_PLACE, element(buffer, offset), count, mpi_type(buffer.type),
                              MPI_SUM, world_.get()),
                "MPI_Allreduce", watchdog_);
    });
  }

  void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) override {
    const CollectivePhase phase(watchdog_, "exchange");
    require_other_ranks(sends, *this);
    require_other_ranks(receives, *this);
    std::vector<MPI_Request> requests;
    for (const Transfer& receive : receives) start(receive, MPI_Irecv, "MPI_Irecv", requests);
    for (const Transfer& send : sends) start(send, MPI_Isend, "MPI_Isend", requests);
    finish(requests);
  }

  void wait(void*) override {}

 private:
  template <typename Call>
  void start(const Transfer& transfer, Call call, std::string_view call_name,
             std::vector<MPI_Request>& requests) const {
    require_host_memory(transfer.buffer);
    in_parts(transfer.buffer.count, largest_message_, [&](std::size_t offset, int count) {
      check_mpi(call(element(transfer.buffer, offset), count, mpi_type(transfer.buffer.type),
                     transfer.peer, 0, world_.get(), &requests.emplace_back()),
                call_name, watchdog_);
    });
  }

  void finish(std::vector<MPI_Request>& requests) const {
    std::vector<MPI_Status> statuses(requests.size());
    const int code =
        MPI_Waitall(static_cast<int>(requests.size()), requests.data(), statuses.data());
    if (code != MPI_ERR_IN_STATUS) return check_mpi(code, "MPI_Waitall", watchdog_);
    for (const MPI_Status& status : statuses) {
      if (status.MPI_ERROR != MPI_ERR_PENDING)
        check_mpi(status.MPI_ERROR, "MPI_Waitall", watchdog_);
    }
  }

  Watchdog& watchdog_;
  Communicator world_;
  std::size_t largest_message_;
};

}  // namespace

std::unique_ptr<Collectives> make_mpi_collectives(Watchdog& watchdog, std::size_t largest_message) {
  const Watchdog::Phase phase(watchdog, "MPI collectives start");
  return std::make_unique<MpiCollectives>(watchdog, largest_message);
}

}  // namespace palimpsest
