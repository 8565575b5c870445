#pragma once
// A stand-in for palimpsest_cuda: its devices are what a test says, and their memory is the host's.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "palimpsest/comm/cuda_module.h"

namespace palimpsest {

// One at a time: the functions of CudaApi are plain pointers.
class FakeCuda {
 public:
  FakeCuda() { current = this; }
  ~FakeCuda() { current = nullptr; }
  FakeCuda(const FakeCuda&) = delete;
  FakeCuda& operator=(const FakeCuda&) = delete;

  std::vector<CudaDeviceInfo> devices;
  int result = 0;  // of describe_device
  int driver = 13000, runtime = 13000, nccl = 22809;
  bool peers = true;
  std::size_t free_bytes = 0;
  int device = -1;      // the one that was set
  int allocations = 0;  // alive
  NcclApi collectives;

  CudaApi api() const {
    CudaApi api;
    api.device_count = [](int* count) {
      *count = static_cast<int>(current->devices.size());
      return 0;
    };
    api.set_device = [](int index) {
      current->device = index;
      return 0;
    };
    api.current_stream = [](int) -> void* { return nullptr; };
    api.error_string = [](int) { return "a fake's error"; };
    api.nccl = collectives;
    api.probe = {
        .driver_version = [](int* version) { return answer(version, current->driver); },
        .runtime_version = [](int* version) { return answer(version, current->runtime); },
        .nccl_version = [](int* version) { return answer(version, current->nccl); },
        .describe_device =
            [](int index, CudaDeviceInfo* info) {
              *info = current->devices.at(static_cast<std::size_t>(index));
              return current->result;
            },
        .can_access_peer = [](int* can, int, int) { return answer(can, current->peers ? 1 : 0); },
        .free_memory = [](std::size_t* bytes) { return answer(bytes, current->free_bytes); },
        .allocate =
            [](void** data, std::size_t bytes) {
              ++current->allocations;
              *data = std::malloc(bytes);
              return 0;
            },
        .release =
            [](void* data) {
              --current->allocations;
              std::free(data);
              return 0;
            },
        .copy =
            [](void* to, const void* from, std::size_t bytes) {
              std::memcpy(to, from, bytes);
              return 0;
            },
    };
    return api;
  }

 private:
  template <typename T>
  static int answer(T* where, T what) {
    *where = what;
    return 0;
  }

  static inline FakeCuda* current = nullptr;
};

inline CudaDeviceInfo fake_device(int number) {
  const std::string digit = std::to_string(number);
  return {.name = "Fake 80GB",
          .uuid = "GPU-" + digit,
          .pci_bus_id = "0000:0" + digit + ":00.0",
          .memory = std::int64_t{80} << 30,
          .major = 9,
          .minor = 0};
}

}  // namespace palimpsest
