#pragma once
// RandAugment (Cubuk et al., 2020), on whole batches, with torchvision's operations and ranges.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "palimpsest/core/random.h"

namespace palimpsest {

// Images are [n, 3, side, side] float32 in [0, 1]. What a shear, shift or turn moves in is black.
struct RandOperation {
  // At a share of the greatest magnitude, on images of this side: a slope, pixels, degrees, the
  // difference of a blending factor from 1, bits, a threshold, or 0 where nothing can vary.
  double (*strength)(double share, double side);
  bool has_two_directions;
  // strengths: [n], of either sign where there are two directions.
  at::Tensor (*apply)(const at::Tensor& images, const at::Tensor& strengths);
};

// In the order of their numbers: identity, shear x, shear y, translate x, translate y, rotate,
// brightness, colour, contrast, sharpness, posterize, solarize, auto contrast, equalize.
std::span<const RandOperation> rand_operations();

// Applies `operations` random operations of this magnitude (0 .. 30) one after another; image i by
// the numbers of streams[i].
at::Tensor rand_augment(at::Tensor images, std::span<RandomStream> streams, std::int64_t operations,
                        double magnitude);

}  // namespace palimpsest
