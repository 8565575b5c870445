#pragma once
// The door to palimpsest_cuda, the one shared object that links CUDA, libtorch_cuda and NCCL:
// opened only when a device is requested, so that a run on processors needs neither a driver nor
// those libraries.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "palimpsest/comm/device_graph.h"
#include "palimpsest/comm/nccl.h"
#include "palimpsest/core/device_kind.h"

namespace palimpsest {

// Raised with every change of CudaApi: an executable opens no module of another build.
inline constexpr int kCudaApiVersion = 5;
inline constexpr const char* kCudaApiSymbol = "palimpsest_cuda_api";

// What CUDA says of one device; a text is empty where it says nothing.
struct CudaDeviceInfo {
  std::string name;
  std::string uuid;        // as nvidia-smi has it: "GPU-" and groups of hexadecimal digits
  std::string pci_bus_id;  // "0000:3b:00.0"; the slices of one GPU (MIG) have the same
  std::int64_t memory = 0;
  int major = 0, minor = 0;  // compute capability
};

// What CUDA is asked before a run. Versions are numbers: CUDA 13.0 is 13000, NCCL 2.28.9 is 22809.
struct CudaProbe {
  int (*driver_version)(int* version) = nullptr;  // the newest CUDA that the driver knows
  int (*runtime_version)(int* version) = nullptr;
  int (*nccl_version)(int* version) = nullptr;  // an ncclResult_t
  int (*describe_device)(int device, CudaDeviceInfo* info) = nullptr;
  int (*can_access_peer)(int* can, int device, int peer) = nullptr;
  int (*free_memory)(std::size_t* bytes) = nullptr;  // of the current device, as the next ones
  int (*allocate)(void** data, std::size_t bytes) = nullptr;
  int (*release)(void* data) = nullptr;
  int (*copy)(void* to, const void* from, std::size_t bytes) = nullptr;  // of host or device each
};

// What palimpsest_cuda offers. Results are cudaError_t: 0 is success.
struct CudaApi {
  int version = kCudaApiVersion;
  int (*device_count)(int* count) = nullptr;
  int (*set_device)(int device) = nullptr;
  void* (*current_stream)(int device) = nullptr;  // LibTorch's, as a cudaStream_t
  MakeGraph make_graph;                           // throw std::runtime_error
  const char* (*error_string)(int error) = nullptr;
  NcclApi nccl;
  CudaProbe probe;
};

// `api` is null where CUDA cannot be used, and `obstacle` says why.
struct CudaLookup {
  const CudaApi* api = nullptr;
  int devices = 0;
  std::string obstacle;
};

// Where the module is looked for: beside the executable, in ../lib/palimpsest, and in the build
// tree.
std::vector<std::filesystem::path> cuda_module_candidates();

// Opens the first candidate that exists, for the life of the process, and counts the devices.
CudaLookup open_cuda(
    const std::vector<std::filesystem::path>& candidates = cuda_module_candidates());

// kCpu never opens the module, kAuto only where there is a driver.
CudaLookup look_for_cuda(DeviceKind device);

// The same, null where CUDA cannot be used; kCuda then throws UsageError with the obstacle.
const CudaApi* choose_cuda(DeviceKind device);

}  // namespace palimpsest
