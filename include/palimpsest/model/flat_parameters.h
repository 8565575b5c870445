#pragma once
// All trained parameters in one float32 vector, with views that autograd takes as leaves: one
// gradient bucket, one exchange, one optimizer call.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace palimpsest {

class FlatParameters {
 public:
  // One leaf per shape, each beginning at a multiple of 64 bytes; zeros.
  FlatParameters(const std::vector<std::vector<std::int64_t>>& shapes, at::Device device);

  const at::Tensor& flat() const { return flat_; }
  std::int64_t size() const { return flat_.numel(); }
  const std::vector<at::Tensor>& leaves() const { return leaves_; }

  // The part of the flat vector with leaves first .. last-1.
  at::Tensor range(std::size_t first, std::size_t last) const;

  // Copies gradients, one per leaf, into a vector of size(). An undefined gradient counts as zeros.
  void gather(const std::vector<at::Tensor>& gradients, const at::Tensor& into) const;

 private:
  at::Tensor flat_;
  std::vector<at::Tensor> leaves_;
  std::vector<std::int64_t> offsets_;
};

}  // namespace palimpsest
