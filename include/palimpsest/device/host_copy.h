#pragma once
// Numbers of the host to and from tensors.
#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

namespace palimpsest {

// Elements in row-major order.
std::vector<float> to_host(const at::Tensor& tensor);

// A float32 copy on `device`.
at::Tensor from_host(std::span<const float> values, at::IntArrayRef shape, at::Device device);

// `host` on `device`: itself in host memory; else a copy queued on the current stream, for which
// nothing waits.
at::Tensor queued_copy(const at::Tensor& host, at::Device device);

}  // namespace palimpsest
