#include "palimpsest/model/layer_norm.h"

#include <ATen/ATen.h>

namespace palimpsest {

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x.to(weight.scalar_type()), weight.sizes(), weight, bias, epsilon);
}

LayerNorm LayerNorm::in(at::ScalarType precision) const {
  return {weight.to(precision), bias.to(precision), epsilon};
}

}  // namespace palimpsest
