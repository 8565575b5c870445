#include "palimpsest/model/flat_parameters.h"

#include <ATen/ATen.h>
#include <c10/util/accumulate.h>

namespace palimpsest {

FlatParameters::FlatParameters(const std::vector<std::vector<std::int64_t>>& shapes,
                               at::Device device) {
  constexpr std::int64_t kAlignment = 64 / sizeof(float);
  std::int64_t size = 0;
  for (const auto& shape : shapes) {
    offsets_.push_back(size);
    size += (c10::multiply_integers(shape) + kAlignment - 1) / kAlignment * kAlignment;
  }
  flat_ = at::zeros({size}, at::TensorOptions().dtype(at::kFloat).device(device));
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    leaves_.push_back(flat_.narrow(0, offsets_[i], c10::multiply_integers(shapes[i]))
                          .view(shapes[i])
                          .detach()
                          .requires_grad_(true));
  }
}

at::Tensor FlatParameters::range(std::size_t first, std::size_t last) const {
  const std::int64_t begin = first < offsets_.size() ? offsets_[first] : size();
  const std::int64_t end = last < offsets_.size() ? offsets_[last] : size();
  return flat_.narrow(0, begin, end - begin);
}

void FlatParameters::gather(const std::vector<at::Tensor>& gradients,
                            const at::Tensor& into) const {
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    at::Tensor part = into.narrow(0, offsets_[i], leaves_[i].numel());
    if (gradients[i].defined()) {
      part.copy_(gradients[i].reshape({-1}));
    } else {
      part.zero_();
    }
  }
}

}  // namespace palimpsest
