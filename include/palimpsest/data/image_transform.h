#pragma once
// Images of a pack as a backbone takes them: cut, resized, augmented, normalised.
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "palimpsest/config/run_config.h"
#include "palimpsest/core/random.h"
#include "palimpsest/data/pixel_source.h"
#include "palimpsest/format/pack.h"

namespace palimpsest {

struct ImageTransform {
  std::int64_t size = 224;                // side of the square that the backbone sees
  std::string interpolation = "bicubic";  // bilinear | bicubic, both antialiased
  std::array<double, 3> mean{0.5, 0.5, 0.5}, deviation{0.5, 0.5, 0.5};  // of pixels in [0, 1]
  double crop_share =
      0.875;            // test: the short side becomes floor(size / crop_share), then the centre
  bool squash = false;  // both sides do, whatever the image's shape
  Augmentation augmentation = {};  // of the training view
};

// [n, 3, size, size] float32 where the pixels are, without augmentation.
at::Tensor test_batch(std::span<const PackedImage> images, const ImageTransform& transform,
                      PixelSource& pixels);

// The same, augmented: image i by the numbers of streams[i] alone.
at::Tensor training_batch(std::span<const PackedImage> images,
                          std::span<const RandomStream> streams, const ImageTransform& transform,
                          PixelSource& pixels);

}  // namespace palimpsest
