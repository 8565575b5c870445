#include "palimpsest/model/layers.h"

#include <ATen/ATen.h>

#include "palimpsest/model/host_kernels.h"

namespace palimpsest {

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x.to(weight.scalar_type()), weight.sizes(), weight, bias, epsilon);
}

LayerNorm LayerNorm::in(at::ScalarType precision) const {
  return {weight.to(precision), bias.to(precision), epsilon};
}

at::Tensor RmsNorm::operator()(const at::Tensor& x) const {
  return rms_norm(x.to(weight.scalar_type()), weight, epsilon);
}

RmsNorm RmsNorm::in(at::ScalarType precision) const { return {weight.to(precision), epsilon}; }

// Split, not unbound: the gradients of the three are then put together in one copy, row by row.
std::array<at::Tensor, 3> attention_heads(const at::Tensor& qkv, std::int64_t samples,
                                          std::int64_t heads) {
  const std::int64_t width = qkv.size(1) / 3;
  const std::vector<at::Tensor> parts = qkv.view({samples, -1, 3 * width}).split(width, 2);
  const auto in_heads = [&](const at::Tensor& part) {
    return part.view({samples, -1, heads, width / heads}).transpose(1, 2);
  };
  return {in_heads(parts[0]), in_heads(parts[1]), in_heads(parts[2])};
}

}  // namespace palimpsest
