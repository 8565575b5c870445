#include "palimpsest/device/placement.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/native/DispatchStub.h>
#include <malloc.h>

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/csrc/api/include/torch/version.h>
#endif

#include <algorithm>
#include <climits>
#include <fstream>
#include <nlohmann/json.hpp>

#include "palimpsest/comm/device_choice.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/streams.h"

namespace palimpsest {
namespace {

// Of this program, by the precision of its products: raised with every change of kernels, of the
// order of sums or of how batches are split, so that a run isn't resumed unawares by a
// program that rounds in another way. tests/app/test_arithmetic.py fails where bits changed and the
// number did not.
constexpr int kArithmeticFp32 = 4, kArithmeticBf16 = 5;

void check_cuda(const CudaApi& api, int result, std::string_view what) {
  if (result != 0)
    throw Error(concat("--device cuda: cannot ", what, ": ", api.error_string(result)));
}

// cuBLAS gives the same bits from run to run only with a workspace of fixed size, and reads the
// variable when it starts. Filling new memory, LibTorch's aid against reading it, would cost a pass
// over it.
void set_deterministic() {
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*replace=*/0);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

// What the bits depend on: libraries choose their kernels by these.
std::string device_name(const CudaApi& api, int device) {
  CudaDeviceInfo info;
  check_cuda(api, api.probe.describe_device(device, &info), concat("describe device ", device));
  int runtime = 0;
  check_cuda(api, api.probe.runtime_version(&runtime), "read the version of CUDA");
  return concat(info.name, ", compute capability ", info.major, ".", info.minor, ", CUDA ",
                runtime);
}

// Of the module that is open where a tensor lies on a device. c10::Stream hands it out only from
// LibTorch 2.11 on.
void* current_stream(int device) {
  static const CudaApi& api = *open_cuda().api;
  return api.current_stream(device);
}

}  // namespace

std::size_t Placement::room_for_images() const {
  if (cuda == nullptr) return 0;
  std::size_t bytes = 0;
  check_cuda(*cuda, cuda->probe.free_memory(&bytes), "read free memory");
  return bytes / 4 / ranks_on_device;
}

Placement make_placement(DeviceKind choice, bool share_device, HostGroup& group,
                         Watchdog& watchdog) {
  const CudaApi* api = choose_cuda(choice);
  const std::vector<RankDevice> ranks = gather_devices(api, share_device, group);
  const std::string conflict = device_conflict(ranks, share_device);
  Placement placement;
  if (conflict.empty()) {
    const int index = ranks[static_cast<std::size_t>(group.rank())].index;
    check_cuda(*api, api->set_device(index), concat("use device ", index));
    set_deterministic();
    placement.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
    placement.cuda = api;
    placement.device_model = device_name(*api, index);
    const RankDevice& own = ranks[static_cast<std::size_t>(group.rank())];
    placement.ranks_on_device =
        static_cast<std::size_t>(std::ranges::count(ranks, own.identity, &RankDevice::identity));
    placement.make_graph = api->make_graph;
    use_own_stream(placement.device);
    announce_shared_devices(ranks, group.rank());
    placement.collectives = make_nccl_collectives(api->nccl, group, watchdog);
  } else if (choice == DeviceKind::kCuda) {
    throw UsageError("--device cuda: " + conflict);
  } else {
    placement.collectives =
        group.size() == 1 ? make_single_collectives() : make_mpi_collectives(watchdog);
  }
  placement.description = placement.device.str();
  return placement;
}

Buffer as_buffer(const at::Tensor& tensor) {
  const at::ScalarType type = tensor.scalar_type();
  if ((type != at::kFloat && type != at::kDouble) || !tensor.is_contiguous()) {
    throw Error(concat("a collective takes contiguous tensors of float32 or float64, found ",
                       at::toString(type), tensor.is_contiguous() ? "" : ", not contiguous"));
  }
  return {.data = tensor.data_ptr(),
          .count = static_cast<std::size_t>(tensor.numel()),
          .type = type == at::kDouble ? DataType::kFloat64 : DataType::kFloat32,
          .stream = tensor.is_cuda() ? current_stream(tensor.get_device()) : nullptr};
}

void configure_processor(int threads) {
  at::set_num_threads(threads);
  mallopt(M_MMAP_THRESHOLD, INT_MAX);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 64 << 20);
}

std::string libtorch_version() { return TORCH_VERSION; }

namespace {

// The first value of this name in /proc/cpuinfo; "" where there is none.
std::string processor_entry(std::string_view name) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with(name) && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

// What kernels are chosen by: in bf16 also the units for it, which processors of one name may have
// or not have.
std::string instruction_set(bool bf16) {
  const std::string set = at::get_cpu_capability();
  if (!bf16) return set;
  const std::string flags = processor_entry("flags") + ' ';
  for (const char* const unit : {"amx_bf16", "avx512_bf16"})
    if (flags.find(concat(' ', unit, ' ')) != std::string::npos) return concat(set, " with ", unit);
  return set;
}

}  // namespace

std::string processor_name() {
  const std::string name = processor_entry("model name");
  return name.empty() ? "unknown" : name;
}

std::string numerics_fingerprint(const Placement& placement, bool bf16, std::int64_t threads,
                                 std::int64_t lanes) {
  return nlohmann::json{{"arithmetic", bf16 ? kArithmeticBf16 : kArithmeticFp32},
                        {"torch", libtorch_version()},
                        {"processor", processor_name()},
                        {"instruction_set", instruction_set(bf16)},
                        {"threads", threads},
                        {"lanes", lanes},
                        {"device", placement.device.is_cuda() ? placement.device_model : "cpu"}}
      .dump();
}

}  // namespace palimpsest
