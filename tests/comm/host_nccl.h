#pragma once
// A stand-in for NCCL that works on host memory over MPI and writes down every call, so that the
// collectives over NCCL run and fail on machines without a GPU.
#include <mpi.h>

#include <chrono>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "palimpsest/comm/nccl.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

// Outlives the collectives made from api(): they call back into it.
class HostNccl {
 public:
  std::vector<std::string> calls;
  NcclResult id_result = kNcclSuccess;
  NcclResult next_result = kNcclSuccess;  // of the next all-reduce
  NcclResult async_state = kNcclSuccess;
  int polls_in_progress = 0;  // how often the communicator answers "in progress" before async_state
  bool queues = false;  // an all-reduce returns at once, and only stream_query brings it forward
  CudaResult device_result = kCudaSuccess;  // of a stream on which nothing is left
  std::chrono::milliseconds abort_time{0};

  NcclApi api() {
    return {
        .get_unique_id =
            [this](NcclId& id) {
              calls.emplace_back("get_unique_id");
              id.fill('u');
              return id_result;
            },
        .comm_init_rank =
            [this](NcclComm& comm, int size, const NcclId& id, int rank) {
              calls.push_back(
                  concat("comm_init_rank ", rank, " of ", size, " id ", id[0], id[127]));
              MPI_Comm_dup(MPI_COMM_WORLD, &comm_);
              comm = this;
              return kNcclInProgress;
            },
        .all_reduce_sum =
            [this](void* data, std::size_t count, DataType type, NcclComm, void* stream) {
              calls.push_back(concat("all_reduce ", count, " ", element_size(type),
                                     stream ? " on a stream" : ""));
              if (next_result != kNcclSuccess) return next_result;
              if (queues) {
                queued_.push_back({data, static_cast<int>(count), mpi(type)});
                if (queued_.size() == 1) start_first();
                return kNcclSuccess;
              }
              MPI_Allreduce(MPI_IN_PLACE, data, static_cast<int>(count), mpi(type), MPI_SUM, comm_);
              return kNcclSuccess;
            },
        .send =
            [this](const void* data, std::size_t count, DataType type, int peer, NcclComm, void*) {
              calls.push_back(concat("send ", count, " to ", peer));
              MPI_Isend(data, static_cast<int>(count), mpi(type), peer, 0, comm_,
                        &pending_.emplace_back());
              return kNcclSuccess;
            },
        .recv =
            [this](void* data, std::size_t count, DataType type, int peer, NcclComm, void*) {
              calls.push_back(concat("recv ", count, " from ", peer));
              MPI_Irecv(data, static_cast<int>(count), mpi(type), peer, 0, comm_,
                        &pending_.emplace_back());
              return kNcclSuccess;
            },
        .group_start =
            [this] {
              calls.emplace_back("group_start");
              return kNcclSuccess;
            },
        .group_end =
            [this] {
              calls.emplace_back("group_end");
              MPI_Waitall(static_cast<int>(pending_.size()), pending_.data(), MPI_STATUSES_IGNORE);
              pending_.clear();
              return kNcclInProgress;
            },
        .comm_get_async_error =
            [this](NcclComm, NcclResult& state) {
              state = polls_in_progress-- > 0 ? kNcclInProgress : async_state;
              return kNcclSuccess;
            },
        .comm_finalize = [this](NcclComm) { return log("comm_finalize"); },
        .comm_destroy =
            [this](NcclComm) {
              MPI_Comm_free(&comm_);
              return log("comm_destroy");
            },
        .comm_abort =
            [this, wait = abort_time](NcclComm) {
              if (wait.count() == 0) return log("comm_abort");
              std::this_thread::sleep_for(wait);  // may outlive this object: touches nothing
              return kNcclSuccess;
            },
        .error_string = [](NcclResult result, NcclComm) { return concat("host error ", result); },
        .stream_query =
            [this](void*) {
              while (!queued_.empty()) {
                int done = 0;
                MPI_Test(&running_, &done, MPI_STATUS_IGNORE);
                if (!done) return kCudaNotReady;
                queued_.pop_front();
                if (!queued_.empty()) start_first();
              }
              return device_result;
            },
        .stream_error_string = [](CudaResult result) { return concat("device error ", result); },
    };
  }

 private:
  struct AllReduce {
    void* data;
    int count;
    MPI_Datatype type;
  };

  void start_first() {
    const AllReduce& first = queued_.front();
    MPI_Iallreduce(MPI_IN_PLACE, first.data, first.count, first.type, MPI_SUM, comm_, &running_);
  }

  static MPI_Datatype mpi(DataType type) {
    return type == DataType::kFloat32 ? MPI_FLOAT : MPI_DOUBLE;
  }

  NcclResult log(const char* call) {
    calls.emplace_back(call);
    return kNcclSuccess;
  }

  MPI_Comm comm_ = MPI_COMM_NULL;
  std::vector<MPI_Request> pending_;        // of the group that is open
  std::deque<AllReduce> queued_;            // on the one stream that there is
  MPI_Request running_ = MPI_REQUEST_NULL;  // the first of them
};

}  // namespace palimpsest
