#pragma once
// Changes of colour, on whole batches: each image by its own amount. Definitions are torchvision's.
#include <ATen/core/Tensor.h>

namespace palimpsest {

// Images are [n, 3, height, width] float32 in [0, 1]; results stay in that range. Amounts are [n].

// Between black (0), the image (1) and beyond.
at::Tensor change_brightness(const at::Tensor& images, const at::Tensor& factors);
// Between the mean grey of each image (0), the image (1) and beyond.
at::Tensor change_contrast(const at::Tensor& images, const at::Tensor& factors);
// Between the image in grey (0), the image (1) and beyond.
at::Tensor change_saturation(const at::Tensor& images, const at::Tensor& factors);
// Between the image smoothed over 3 x 3 pixels (0), the image (1) and beyond.
at::Tensor change_sharpness(const at::Tensor& images, const at::Tensor& factors);
// Keeps the upper `bits` of each value's 8.
at::Tensor posterize(const at::Tensor& images, const at::Tensor& bits);
// Inverts the values from the threshold on.
at::Tensor solarize(const at::Tensor& images, const at::Tensor& thresholds);
// Stretches every colour of every image to the whole range.
at::Tensor stretch_contrast(const at::Tensor& images);
// Makes the histogram of every colour of every image flat, in 256 levels.
at::Tensor equalize(const at::Tensor& images);

}  // namespace palimpsest
