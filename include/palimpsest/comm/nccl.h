#pragma once
// NCCL behind a small table of functions, so that this library links no CUDA and a test can put a
// host implementation in its place.
#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "palimpsest/comm/collectives.h"

namespace palimpsest {

// A result of NCCL (ncclResult_t). The values below are those that the code looks at.
using NcclResult = int;
inline constexpr NcclResult kNcclSuccess = 0;
inline constexpr NcclResult kNcclSystemError = 2;
inline constexpr NcclResult kNcclRemoteError = 6;
inline constexpr NcclResult kNcclInProgress = 7;

// A result of CUDA (cudaError_t), likewise.
using CudaResult = int;
inline constexpr CudaResult kCudaSuccess = 0;
inline constexpr CudaResult kCudaNotReady = 600;

using NcclComm = void*;  // ncclComm_t
using NcclId = std::array<char, 128>;

// Each as the function of NCCL with that name; `stream` is a cudaStream_t. Communicators do not
// block: a call may answer kNcclInProgress, and comm_get_async_error says when it is done.
struct NcclApi {
  std::function<NcclResult(NcclId&)> get_unique_id;
  std::function<NcclResult(NcclComm&, int size, const NcclId&, int rank)> comm_init_rank;
  std::function<NcclResult(void* data, std::size_t count, DataType, NcclComm, void* stream)>
      all_reduce_sum;  // in place
  std::function<NcclResult(const void* data, std::size_t count, DataType, int peer, NcclComm,
                           void* stream)>
      send;
  std::function<NcclResult(void* data, std::size_t count, DataType, int peer, NcclComm,
                           void* stream)>
      recv;
  std::function<NcclResult()> group_start;
  std::function<NcclResult()> group_end;
  std::function<NcclResult(NcclComm, NcclResult& state)> comm_get_async_error;
  std::function<NcclResult(NcclComm)> comm_finalize;
  std::function<NcclResult(NcclComm)> comm_destroy;
  std::function<NcclResult(NcclComm)> comm_abort;
  std::function<std::string(NcclResult, NcclComm)> error_string;  // the comm may be null
  std::function<CudaResult(void* stream)> stream_query;           // of CUDA, as the next one
  std::function<std::string(CudaResult)> stream_error_string;
};

// Collective over the group. The current device is this rank's. Calls return when the work is
// queued on the buffer's stream; an error that shows later is thrown by the next call, wait()
// included, with the collective and count that it belongs to: RankLostError where a peer or the
// network failed, Error otherwise. The communicator is then aborted, with at most `abort_seconds`
// of waiting.
std::unique_ptr<Collectives> make_nccl_collectives(const NcclApi& api, HostGroup& group,
                                                   Watchdog& watchdog, double abort_seconds = 5);

}  // namespace palimpsest
