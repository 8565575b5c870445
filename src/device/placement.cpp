#include "palimpsest/device/placement.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/native/DispatchStub.h>
#include <malloc.h>
#include <torch/headeronly/version.h>

#include <climits>
#include <nlohmann/json.hpp>

#include "palimpsest/comm/cuda_module.h"
#include "palimpsest/comm/host_group.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// Set once, when a device is chosen: as_buffer needs LibTorch's current stream of it.
const CudaApi* cuda_api = nullptr;

void check_cuda(const CudaApi& api, int result, std::string_view what) {
  if (result != 0)
    throw Error(concat("--device cuda: cannot ", what, ": ", api.error_string(result)));
}

}  // namespace

Placement make_placement(std::string_view choice, HostGroup& group, Watchdog& watchdog) {
  const CudaApi* api = choose_cuda(std::string(choice));
  int devices = 0;
  if (api != nullptr) check_cuda(*api, api->device_count(&devices), "count the devices");
  // One visible device: the launcher has given this rank its own.
  const int index = devices == 1 ? 0 : group.node_rank();
  const bool usable_everywhere = !group.any(index >= devices, "device agreement");
  Placement placement;
  if (usable_everywhere) {
    check_cuda(*api, api->set_device(index), concat("use device ", index));
    cuda_api = api;
    placement.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
    placement.collectives = make_nccl_collectives(api->nccl, group, watchdog);
  } else if (choice == "cuda") {
    throw UsageError(concat(
        "--device cuda: the node of some rank has fewer devices than ranks (rank ", group.rank(),
        " is number ", group.node_rank(), " on its node and sees ", devices, ")"));
  } else {
    placement.collectives =
        group.size() == 1 ? make_single_collectives() : make_mpi_collectives(watchdog);
  }
  placement.description = placement.device.str();
  return placement;
}

Buffer as_buffer(const at::Tensor& tensor) {
  const bool device = tensor.is_cuda();
  return {.data = tensor.data_ptr(),
          .count = static_cast<std::size_t>(tensor.numel()),
          .type = tensor.scalar_type() == at::kDouble ? DataType::kFloat64 : DataType::kFloat32,
          .stream = device ? cuda_api->current_stream(tensor.get_device()) : nullptr};
}

void configure_processor(int threads) {
  at::set_num_threads(threads);
  mallopt(M_MMAP_THRESHOLD, INT_MAX);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 64 << 20);
}

std::string numerics_fingerprint(const Placement& placement, int threads) {
  return nlohmann::json{{"torch", TORCH_VERSION},
                        {"instruction_set", at::get_cpu_capability()},
                        {"threads", threads},
                        {"device", placement.device.is_cuda() ? "cuda" : "cpu"}}
      .dump();
}

}  // namespace palimpsest
