// The one shared object that knows CUDA, LibTorch's CUDA side and NCCL; see
// palimpsest/comm/cuda_module.h.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstring>
#include <memory>

#include "palimpsest/comm/cuda_module.h"

namespace palimpsest {
namespace {

static_assert(sizeof(NcclId) == sizeof(ncclUniqueId));
static_assert(kNcclSuccess == ncclSuccess && kNcclSystemError == ncclSystemError);
static_assert(kNcclRemoteError == ncclRemoteError && kNcclInProgress == ncclInProgress);
static_assert(kCudaSuccess == cudaSuccess && kCudaNotReady == cudaErrorNotReady);

ncclDataType_t nccl_type(DataType type) {
  return type == DataType::kFloat32 ? ncclFloat32 : ncclFloat64;
}
ncclComm_t nccl_comm(NcclComm comm) { return static_cast<ncclComm_t>(comm); }
cudaStream_t cuda_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

NcclResult get_unique_id(NcclId& id) {
  ncclUniqueId unique;
  const NcclResult result = ncclGetUniqueId(&unique);
  std::memcpy(id.data(), unique.internal, id.size());
  return result;
}

NcclResult comm_init_rank(NcclComm& comm, int size, const NcclId& id, int rank) {
  ncclUniqueId unique;
  std::memcpy(unique.internal, id.data(), id.size());
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  ncclComm_t made = nullptr;
  const NcclResult result = ncclCommInitRankConfig(&made, size, unique, rank, &config);
  comm = made;
  return result;
}

NcclResult comm_get_async_error(NcclComm comm, NcclResult& state) {
  ncclResult_t found = ncclSuccess;
  const NcclResult result = ncclCommGetAsyncError(nccl_comm(comm), &found);
  state = found;
  return result;
}

std::string error_string(NcclResult result, NcclComm comm) {
  return std::string(ncclGetErrorString(static_cast<ncclResult_t>(result))) + "; " +
         ncclGetLastError(nccl_comm(comm));
}

NcclApi nccl_api() {
  return {
      .get_unique_id = get_unique_id,
      .comm_init_rank = comm_init_rank,
      .all_reduce_sum = [](void* data, std::size_t count, DataType type, NcclComm comm,
                           void* stream) -> NcclResult {
        return ncclAllReduce(data, data, count, nccl_type(type), ncclSum, nccl_comm(comm),
                             cuda_stream(stream));
      },
      .send = [](const void* data, std::size_t count, DataType type, int peer, NcclComm comm,
                 void* stream) -> NcclResult {
        return ncclSend(data, count, nccl_type(type), peer, nccl_comm(comm), cuda_stream(stream));
      },
      .recv = [](void* data, std::size_t count, DataType type, int peer, NcclComm comm,
                 void* stream) -> NcclResult {
        return ncclRecv(data, count, nccl_type(type), peer, nccl_comm(comm), cuda_stream(stream));
      },
      .group_start = []() -> NcclResult { return ncclGroupStart(); },
      .group_end = []() -> NcclResult { return ncclGroupEnd(); },
      .comm_get_async_error = comm_get_async_error,
      .comm_finalize = [](NcclComm comm) -> NcclResult {
        return ncclCommFinalize(nccl_comm(comm));
      },
      .comm_destroy = [](NcclComm comm) -> NcclResult { return ncclCommDestroy(nccl_comm(comm)); },
      .comm_abort = [](NcclComm comm) -> NcclResult { return ncclCommAbort(nccl_comm(comm)); },
      .error_string = error_string,
      .stream_query = [](void* stream) -> CudaResult {
        const cudaError_t result = cudaStreamQuery(cuda_stream(stream));
        if (result == cudaErrorNotReady) cudaGetLastError();  // no error for the next query
        return result;
      },
      .stream_error_string = [](CudaResult result) -> std::string {
        return cudaGetErrorString(static_cast<cudaError_t>(result));
      },
  };
}

// LibTorch's graph: what `work` allocates stays reserved for it. Graphs that live at the same time
// share a pool, since they never run at the same time, and what one leaves is read before the next
// is launched. A pool whose graphs are gone takes no new ones.
class CudaGraph final : public DeviceGraph {
 public:
  ~CudaGraph() override {
    if (is_recorded_) --alive;
  }

  void record(const std::function<void()>& work) override {
    static at::cuda::MempoolId_t pool;
    if (alive == 0) pool = at::cuda::graph_pool_handle();
    // What the same work left cached when it was called: a recording cannot take from it.
    c10::cuda::CUDACachingAllocator::emptyCache();
    // Of this thread alone: autograd's threads may allocate for the first time meanwhile.
    graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      end_after_failure();
      throw;
    }
    graph_.capture_end();
    is_recorded_ = true;
    ++alive;
  }

  void launch() override { graph_.replay(); }

 private:
  // The exception on its way says more than the one that a broken recording ends with.
  void end_after_failure() noexcept {
    try {
      graph_.capture_end();
    } catch (...) {  // NOLINT(bugprone-empty-catch)
    }
  }

  static inline int alive = 0;
  at::cuda::CUDAGraph graph_;
  bool is_recorded_ = false;
};

// As nvidia-smi has it; empty where the driver gives none.
std::string uuid_text(const cudaUUID_t& uuid) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text = "GPU";
  bool empty = true;
  for (int i = 0; i < 16; ++i) {
    const auto byte = static_cast<unsigned char>(uuid.bytes[i]);
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
    empty = empty && byte == 0;
  }
  return empty ? "" : text;
}

int describe_device(int device, CudaDeviceInfo* info) {
  cudaDeviceProp properties{};
  const cudaError_t result = cudaGetDeviceProperties(&properties, device);
  if (result != cudaSuccess) return result;
  char bus[32] = "";
  if (cudaDeviceGetPCIBusId(bus, sizeof bus, device) != cudaSuccess) bus[0] = '\0';
  *info = {.name = properties.name,
           .uuid = uuid_text(properties.uuid),
           .pci_bus_id = bus,
           .memory = static_cast<std::int64_t>(properties.totalGlobalMem),
           .major = properties.major,
           .minor = properties.minor};
  return cudaSuccess;
}

CudaProbe probe() {
  return {
      .driver_version = [](int* version) -> int { return cudaDriverGetVersion(version); },
      .runtime_version = [](int* version) -> int { return cudaRuntimeGetVersion(version); },
      .nccl_version = [](int* version) -> int { return ncclGetVersion(version); },
      .describe_device = describe_device,
      .can_access_peer = [](int* can, int device, int peer) -> int {
        return cudaDeviceCanAccessPeer(can, device, peer);
      },
      .free_memory = [](std::size_t* bytes) -> int {
        std::size_t total = 0;
        return cudaMemGetInfo(bytes, &total);
      },
      .allocate = [](void** data, std::size_t bytes) -> int { return cudaMalloc(data, bytes); },
      .release = [](void* data) -> int { return cudaFree(data); },
      .copy = [](void* to, const void* from, std::size_t bytes) -> int {
        return cudaMemcpy(to, from, bytes, cudaMemcpyDefault);
      },
  };
}

}  // namespace
}  // namespace palimpsest

extern "C" const palimpsest::CudaApi* palimpsest_cuda_api() {
  static const palimpsest::CudaApi api = {
      .version = palimpsest::kCudaApiVersion,
      .device_count = [](int* count) -> int { return cudaGetDeviceCount(count); },
      .set_device = [](int device) -> int { return cudaSetDevice(device); },
      .current_stream = [](int device) -> void* {
        return c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device)).stream();
      },
      .make_graph = [] { return std::make_unique<palimpsest::CudaGraph>(); },
      .error_string = [](int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); },
      .nccl = palimpsest::nccl_api(),
      .probe = palimpsest::probe(),
  };
  return &api;
}
