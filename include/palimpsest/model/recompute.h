#pragma once
// Activation checkpointing: memory for time, at the same bits.
#include <ATen/core/Tensor.h>

#include <functional>

namespace palimpsest {

// f(x) as autograd sees it, but what f computes on the way isn't kept: the backward pass calls f
// again. `leaves`: what f reads besides x and wants gradients for. Whatever else f reads must be
// the same in the backward pass.
at::Tensor recomputed(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x,
                      const std::vector<at::Tensor>& leaves);

}  // namespace palimpsest
