#pragma once
// Where tensors live: host memory, or the device of this rank.
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "palimpsest/comm/collectives.h"
#include "palimpsest/comm/device_graph.h"
#include "palimpsest/core/device_kind.h"

namespace palimpsest {

class HostGroup;
struct CudaApi;
class Watchdog;

struct Placement {
  at::Device device = at::kCPU;
  std::string description;                   // for people: "cpu" or "cuda:0"
  std::unique_ptr<Collectives> collectives;  // for tensors on `device`
  MakeGraph make_graph;                      // for work on `device` that repeats
  const CudaApi* cuda = nullptr;             // null in host memory

  std::string device_model;  // name, compute capability, CUDA; "" in host memory
  std::size_t ranks_on_device = 1;

  // Bytes of the device that a rank may fill with images: its share of a quarter of what is free
  // now.
  std::size_t room_for_images() const;
};

// kAuto takes devices when the CUDA module and one device per rank of
// the node are there on every rank. With `share_device` several ranks may have the same one: rank
// r of a node then takes device r modulo their number, and NCCL_HOSTID is set for each (see
// device_choice.h). Collective. Throws Error, saying why, when cuda is requested and can't be had.
Placement make_placement(DeviceKind choice, bool share_device, HostGroup& group,
                         Watchdog& watchdog);

// A contiguous float32 or float64 tensor as the collectives take it. Throws Error for any other.
Buffer as_buffer(const at::Tensor& tensor);

// Tunes the process for training on processors: `threads` threads for tensor operations, and an
// allocator that keeps freed pages (half of a training loop's time can go to page faults
// otherwise).
void configure_processor(int threads);

std::string libtorch_version();

// As the system names it; "unknown" where it does not.
std::string processor_name();

// What the bits of a result depend on beside mathematics, as JSON: this program's arithmetic in
// that precision, library versions, instruction set, threads, lanes, device.
std::string numerics_fingerprint(const Placement& placement, bool bf16, std::int64_t threads,
                                 std::int64_t lanes);

}  // namespace palimpsest
