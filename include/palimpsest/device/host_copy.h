#pragma once
// Float vectors of the host to and from tensors.
#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

namespace palimpsest {

// Elements in row-major order.
std::vector<float> to_host(const at::Tensor& tensor);

// A float32 copy on `device`.
at::Tensor from_host(std::span<const float> values, at::IntArrayRef shape, at::Device device);

}  // namespace palimpsest
