#pragma once
// LoRA: the low-rank factors of a task, for every adapted module.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

// Adapted modules that read the same input and have one shape, e.g. key and value of a block.
// Positions in the layout.
struct LoraGroup {
  std::vector<std::size_t> modules = {};
  std::int64_t out = 0, in = 0;
};

// Delta of module m is scale * B_m A_m. Factors of a group are stacked: a [modules, rank, in], b
// [modules, out, rank].
class Lora {
 public:
  struct Factors {
    at::Tensor a, b;
  };

  static std::vector<std::int64_t> a_shape(const LoraGroup& group, std::int64_t rank);
  static std::vector<std::int64_t> b_shape(const LoraGroup& group, std::int64_t rank);

  // Over factors of those shapes, by group.
  Lora(std::vector<LoraGroup> groups, std::int64_t rank, double scale,
       std::vector<Factors> factors);

  // B = 0 and A uniform in +-1/sqrt(in) (Kaiming-uniform, a = sqrt 5): Delta is zero at the first
  // step.
  void initialise(std::uint64_t seed, std::int64_t task);

  const Factors& group(std::size_t index) const { return factors_[index]; }
  double scale() const { return scale_; }

  // On the host, in layout order.
  std::vector<LoraFactors> to_records(const AdaptedLayout& layout) const;
  // The inverse. Throws InputError when the records are of other modules or shapes.
  void load(const std::vector<LoraFactors>& records, const AdaptedLayout& layout);

 private:
  std::vector<LoraGroup> groups_;
  std::int64_t rank_;
  double scale_;
  std::vector<Factors> factors_;
};

}  // namespace palimpsest
