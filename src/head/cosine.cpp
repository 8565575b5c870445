#include "cosine.h"

#include <ATen/ATen.h>

#include <limits>

namespace palimpsest {

at::Tensor CosineLogits::logits(const at::Tensor& features, const at::Tensor& weight,
                                const at::Tensor&) const {
  return at::linear(directions(features), directions(weight)).mul(scale_);
}

void CosineLogits::initialise(const at::Tensor& weight, const at::Tensor& bias, std::uint64_t seed,
                              std::int64_t task) const {
  HeadType::initialise(weight, bias, seed, task);
  bias.detach().zero_();
}

SettingSpec cosine_scale() {
  return {.name = "scale",
          .default_value = 16.0,
          .minimum = 0,
          .maximum = std::numeric_limits<double>::infinity(),
          .above_minimum = true};
}

HeadKind cosine_head() {
  return {.name = "cosine",
          .help = "Scale times the cosine of features and weights, without bias. Not in the paper.",
          .keys = {cosine_scale()},
          .make = make_kind<CosineLogits>};
}

}  // namespace palimpsest
