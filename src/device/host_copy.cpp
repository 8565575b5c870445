#include "palimpsest/device/host_copy.h"

#include <ATen/ATen.h>

namespace palimpsest {

std::vector<float> to_host(const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  return {host.const_data_ptr<float>(), host.const_data_ptr<float>() + host.numel()};
}

at::Tensor from_host(std::span<const float> values, at::IntArrayRef shape, at::Device device) {
  return at::from_blob(const_cast<float*>(values.data()), shape)
      .to(device, at::kFloat, /*non_blocking=*/false,
          /*copy=*/true);
}

at::Tensor queued_copy(const at::Tensor& host, at::Device device) {
  return device.is_cpu() ? host : host.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace palimpsest
