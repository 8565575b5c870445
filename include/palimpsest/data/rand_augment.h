#pragma once
// RandAugment (Cubuk et al., 2020), on whole batches, with torchvision's operations and ranges.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "palimpsest/core/random.h"

namespace palimpsest {

enum class Operation : std::uint8_t {
  kIdentity,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
  kRotate,
  kBrightness,
  kColour,
  kContrast,
  kSharpness,
  kPosterize,
  kSolarize,
  kAutoContrast,
  kEqualize
};
constexpr std::int64_t kOperations = 14;

// How strongly an operation of this magnitude (0 .. 30) changes an image of this side: a slope,
// pixels, degrees, the difference of a blending factor from 1, bits, a threshold, or 0 where
// nothing can vary.
double strength(Operation operation, double magnitude, std::int64_t side);

// images: [n, 3, side, side] float32 in [0, 1]; strengths: [n], of either sign where the operation
// has two directions. What a shear, shift or turn moves in is black.
at::Tensor apply(Operation operation, const at::Tensor& images, const at::Tensor& strengths);

// Applies `operations` random operations one after another; image i by the numbers of streams[i].
at::Tensor rand_augment(at::Tensor images, std::span<RandomStream> streams, std::int64_t operations,
                        double magnitude);

}  // namespace palimpsest
