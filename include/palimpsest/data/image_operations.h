#pragma once
// What random augmentations make of images, on whole batches: torchvision's operations and ranges.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace palimpsest {

// How a shear, shift or turn reads between pixels.
enum class Sampling { kNearest, kBilinear };

// Images are [n, 3, height, width] float32 in [0, 1]. What a shear, shift or turn moves in is
// black.
struct ImageOperation {
  // At a share of the greatest magnitude: a slope, pixels, degrees, the difference of a blending
  // factor from 1, bits, a threshold, or 0 where nothing can vary.
  double (*strength)(double share, double width, double height);
  bool has_two_directions;
  // strengths: [n], of either sign where there are two directions.
  at::Tensor (*apply)(const at::Tensor& images, const at::Tensor& strengths, Sampling sampling);
};

// Their numbers.
enum class ImageOperationId : std::size_t {
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
  kEqualize,
  kInvert,
};
std::span<const ImageOperation> image_operations();

}  // namespace palimpsest
