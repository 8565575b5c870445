#include "palimpsest/data/colour.h"

#include <ATen/ATen.h>

namespace palimpsest {
namespace {

constexpr std::int64_t kLevels = 256;

at::Tensor per_image(const at::Tensor& amounts) { return amounts.view({-1, 1, 1, 1}); }

at::Tensor blend(const at::Tensor& images, const at::Tensor& other, const at::Tensor& factors) {
  const at::Tensor share = per_image(factors);
  return (images * share + other * (1 - share)).clamp_(0, 1);
}

at::Tensor grey(const at::Tensor& images) {
  return images.select(1, 0)
      .mul(0.2989)
      .add_(images.select(1, 1), 0.587)
      .add_(images.select(1, 2), 0.114)
      .unsqueeze(1);
}

at::Tensor levels(const at::Tensor& images) {
  return images.mul(kLevels - 1).round_().to(at::kLong);
}

at::Tensor from_levels(const at::Tensor& values) { return values.to(at::kFloat).div_(kLevels - 1); }

}  // namespace

at::Tensor change_brightness(const at::Tensor& images, const at::Tensor& factors) {
  return images.mul(per_image(factors)).clamp_(0, 1);
}

at::Tensor change_contrast(const at::Tensor& images, const at::Tensor& factors) {
  return blend(images, grey(images).mean({1, 2, 3}, true), factors);
}

at::Tensor change_saturation(const at::Tensor& images, const at::Tensor& factors) {
  return blend(images, grey(images), factors);
}

at::Tensor change_sharpness(const at::Tensor& images, const at::Tensor& factors) {
  const std::int64_t height = images.size(2), width = images.size(3);
  if (height < 3 || width < 3) return images;
  at::Tensor kernel = at::ones({3, 1, 3, 3}, images.options());
  kernel.select(2, 1).select(2, 1).fill_(5);
  kernel.div_(13);
  at::Tensor smooth = images.clone();  // the border stays
  smooth.narrow(2, 1, height - 2)
      .narrow(3, 1, width - 2)
      .copy_(at::conv2d(images, kernel, {}, at::IntArrayRef{1}, at::IntArrayRef{0},
                        at::IntArrayRef{1}, 3));
  return blend(images, smooth, factors);
}

at::Tensor posterize(const at::Tensor& images, const at::Tensor& bits) {
  const at::Tensor step = per_image(at::pow(2, 8 - bits).to(at::kLong));
  return from_levels(at::floor_divide(levels(images), step).mul_(step));
}

at::Tensor solarize(const at::Tensor& images, const at::Tensor& thresholds) {
  return at::where(images >= per_image(thresholds), 1 - images, images);
}

at::Tensor stretch_contrast(const at::Tensor& images) {
  const at::Tensor least = images.amin({2, 3}, true), most = images.amax({2, 3}, true);
  const at::Tensor flat = most == least;
  return ((images - least.masked_fill(flat, 0)) / (most - least).masked_fill_(flat, 1))
      .clamp_(0, 1);
}

at::Tensor equalize(const at::Tensor& images) {
  const at::Tensor values = levels(images).flatten(2).flatten(0, 1);  // [3n, pixels]
  const at::Tensor histogram = at::zeros({values.size(0), kLevels}, values.options())
                                   .scatter_add_(1, values, at::ones_like(values));
  const at::Tensor brightest = histogram.gather(1, values.amax(1, true));
  const at::Tensor step = at::floor_divide(values.size(1) - brightest, kLevels - 1);
  const at::Tensor below = histogram.cumsum(1) - histogram;  // pixels darker than each level
  const at::Tensor half = at::floor_divide(step, 2);
  at::Tensor table = at::floor_divide(below + half, step.clamp_min(1)).clamp_(0, kLevels - 1);
  table.select(1, 0).zero_();
  const at::Tensor mapped = at::where(step == 0, values, table.gather(1, values));
  return from_levels(mapped).view(images.sizes());
}

}  // namespace palimpsest
