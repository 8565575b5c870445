#pragma once
// Samples of a batch, ready for a backbone.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <variant>
#include <vector>

namespace palimpsest {

// Texts one after another, without padding.
struct Texts {
  std::vector<std::int64_t> ids;      // of all texts
  std::vector<std::int64_t> lengths;  // tokens of each text
};

// Images after their transform: [samples, 3, side, side] float32, on the device of the model.
using Images = at::Tensor;

struct Batch {
  std::variant<Texts, Images> samples;
  std::vector<std::int64_t> targets;  // class of each sample, by its position in the task
  std::int64_t size() const { return static_cast<std::int64_t>(targets.size()); }
};

}  // namespace palimpsest
