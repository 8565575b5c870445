#include "palimpsest/comm/cuda_module.h"

#include <dlfcn.h>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr const char* kFileName = "libpalimpsest_cuda.so";

CudaLookup obstacle(std::string text) {
  return {.api = nullptr, .devices = 0, .obstacle = std::move(text)};
}

bool has_driver() {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY);
  if (driver) dlclose(driver);
  return driver != nullptr;
}

CudaLookup open_module(const std::filesystem::path& file) {
  // Never closed: LibTorch registers its kernels permanently. Global, so that they find one
  // another.
  void* module = dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!module) return obstacle(concat(file.string(), " does not load: ", dlerror()));
  using Entry = const CudaApi* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(module, kCudaApiSymbol));
  const CudaApi* api = entry ? entry() : nullptr;
  if (!api || api->version != kCudaApiVersion) {
    return obstacle(
        concat(file.string(), " belongs to another build of this program: expected interface ",
               kCudaApiVersion, ", found ", api ? std::to_string(api->version) : "none"));
  }
  int devices = 0;
  const int error = api->device_count(&devices);
  if (error != 0 || devices == 0) {
    return obstacle(concat("no CUDA device is visible (driver error ", error, ": ",
                           api->error_string(error),
                           "). Check nvidia-smi, CUDA_VISIBLE_DEVICES and the job's --gpus"));
  }
  return {.api = api, .devices = devices, .obstacle = ""};
}

}  // namespace

std::vector<std::filesystem::path> cuda_module_candidates() {
  std::error_code unknown;
  const auto beside = std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path();
  std::vector<std::filesystem::path> candidates = {beside / kFileName};
  for (const char* libraries : {"lib", "lib64"}) {
    candidates.push_back(beside.parent_path() / libraries / "palimpsest" / kFileName);
  }
#ifdef PALIMPSEST_CUDA_MODULE
  candidates.emplace_back(PALIMPSEST_CUDA_MODULE);
#endif
  return candidates;
}

CudaLookup open_cuda(const std::vector<std::filesystem::path>& candidates) {
  std::string looked;
  for (const std::filesystem::path& file : candidates) {
    if (std::filesystem::exists(file)) return open_module(file);
    looked += concat(looked.empty() ? "" : ", ", file.string());
  }
  return obstacle(concat("palimpsest_cuda was not built or not installed (looked for ", looked,
                         "). Install torch's CUDA libraries (launch/setup.sh without "
                         "--processor), configure and build again"));
}

CudaLookup look_for_cuda(DeviceKind device) {
  if (device == DeviceKind::kCpu) return obstacle("--device cpu");
  if (device == DeviceKind::kAuto && !has_driver()) {
    return obstacle("no NVIDIA driver on this machine (libcuda.so.1)");
  }
  return open_cuda();
}

const CudaApi* choose_cuda(DeviceKind device) {
  const CudaLookup lookup = look_for_cuda(device);
  if (!lookup.api && device == DeviceKind::kCuda)
    throw UsageError("--device cuda: " + lookup.obstacle);
  return lookup.api;
}

}  // namespace palimpsest
