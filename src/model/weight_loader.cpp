#include "palimpsest/model/weight_loader.h"

#include <ATen/ATen.h>

#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

// Of a whole float32 tensor, where the processor can read it in place.
bool can_be_viewed(const TensorView& piece) {
  return piece.dtype == "F32" &&
         reinterpret_cast<std::uintptr_t>(piece.bytes.data()) % alignof(float) == 0;
}

at::Tensor tensor_of(const TensorView& piece, at::Device device) {
  if (!device.is_cpu() || !can_be_viewed(piece)) {
    return from_host(to_floats(piece), piece.shape, device);
  }
  // The mapping is read-only; nothing writes to a loaded tensor.
  return at::from_blob(const_cast<std::byte*>(piece.bytes.data()), piece.shape, at::kFloat);
}

}  // namespace

TensorLoader weight_loader(CanonicalWeights& weights, at::Device device) {
  return [&weights, device](const std::string& name, const std::vector<std::int64_t>& shape) {
    std::vector<at::Tensor> pieces;
    for (const TensorView& piece : weights.pieces(name, shape)) {
      pieces.push_back(tensor_of(piece, device));
    }
    const at::Tensor whole = pieces.size() == 1 ? pieces.front() : at::cat(pieces);
    return whole.view(shape);
  };
}

}  // namespace palimpsest
