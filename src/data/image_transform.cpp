#include "palimpsest/data/image_transform.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "palimpsest/data/colour.h"
#include "palimpsest/data/random_operations.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

constexpr double kBrightest = 255;
constexpr int kCropAttempts = 10;  // these, and the ratios of the sides, as torchvision has them
constexpr double kNarrowest = 3.0 / 4.0, kWidest = 4.0 / 3.0;

struct Rectangle {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
};

Rectangle centred(std::int64_t height, std::int64_t width, std::int64_t crop_height,
                  std::int64_t crop_width) {
  const auto half = [](std::int64_t rest) { return std::lrint(static_cast<double>(rest) / 2.0); };
  return {half(height - crop_height), half(width - crop_width), crop_height, crop_width};
}

// A rectangle whose area is between `scale_min` and 1 of the image's, of random shape and place:
// the random resized crop of Inception and of torchvision.
Rectangle random_crop(const PackedImage& image, double scale_min, RandomStream& stream) {
  const double area = static_cast<double>(image.height * image.width);
  for (int attempt = 0; attempt < kCropAttempts; ++attempt) {
    const double target = area * (scale_min + (1 - scale_min) * stream.uniform());
    const double ratio =
        std::exp(std::log(kNarrowest) + std::log(kWidest / kNarrowest) * stream.uniform());
    const std::int64_t width = std::llrint(std::sqrt(target * ratio));
    const std::int64_t height = std::llrint(std::sqrt(target / ratio));
    if (width < 1 || width > image.width || height < 1 || height > image.height) continue;
    const auto place = [&](std::int64_t rest) {
      return static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(rest) + 1));
    };
    const std::int64_t top = place(image.height - height);
    return {top, place(image.width - width), height, width};
  }
  const double ratio = static_cast<double>(image.width) / static_cast<double>(image.height);
  std::int64_t width = image.width, height = image.height;
  if (ratio < kNarrowest) height = std::llrint(static_cast<double>(width) / kNarrowest);
  if (ratio > kWidest) width = std::llrint(static_cast<double>(height) * kWidest);
  return centred(image.height, image.width, height, width);
}

// uint8 [images, height, width, 3] to [images, 3, height, width] float32 in 0 .. 255.
at::Tensor as_floats(const at::Tensor& pixels) {
  if (pixels.is_cpu()) {  // two passes in a row of memory each are faster than one across it
    return pixels.contiguous().to(at::kFloat).permute({0, 3, 1, 2}).contiguous();
  }
  const at::Tensor planes = pixels.permute({0, 3, 1, 2});
  return at::empty(planes.sizes(), planes.options().dtype(at::kFloat)).copy_(planes);
}

// Antialiased; bicubic overshoots 0 .. 255.
at::Tensor resized(const at::Tensor& pixels, std::int64_t height, std::int64_t width,
                   const std::string& interpolation) {
  if (pixels.size(2) == height && pixels.size(3) == width) return pixels;
  if (interpolation == "bilinear")
    return at::_upsample_bilinear2d_aa(pixels, {height, width}, false);
  return at::_upsample_bicubic2d_aa(pixels, {height, width}, false);
}

// How many images of one shape go through together: on a device a call costs more than its work on
// a small image.
std::size_t most_together(const PackedImage& image, at::Device device) {
  constexpr std::int64_t kValuesAtOnce = 1 << 26;
  if (device.is_cpu()) return 1;
  return static_cast<std::size_t>(
      std::max<std::int64_t>(1, kValuesAtOnce / (3 * image.height * image.width)));
}

// How many images at the front have the shape of the first.
std::size_t of_one_shape(std::span<const PackedImage> images) {
  const auto differs = [&](const PackedImage& image) {
    return image.height != images[0].height || image.width != images[0].width;
  };
  return static_cast<std::size_t>(std::ranges::find_if(images, differs) - images.begin());
}

// The short side, or both, to floor(size / crop_share), then the centre, as timm does. All of one
// shape.
at::Tensor centre_view(std::span<const PackedImage> images, const ImageTransform& transform,
                       PixelSource& pixels) {
  const PackedImage& image = images.front();
  std::vector<at::Tensor> all;
  for (const PackedImage& each : images) all.push_back(pixels(each));
  const auto side = static_cast<std::int64_t>(
      std::floor(static_cast<double>(transform.size) / transform.crop_share));
  const bool upright = image.height > image.width;
  const std::int64_t long_side = transform.squash ? side
                                                  : side * std::max(image.height, image.width) /
                                                        std::min(image.height, image.width);
  const std::int64_t height = upright ? long_side : side, width = upright ? side : long_side;
  const Rectangle centre = centred(height, width, transform.size, transform.size);
  return resized(as_floats(at::stack(all)), height, width, transform.interpolation)
      .narrow(2, centre.top, centre.height)
      .narrow(3, centre.left, centre.width);
}

// [1, 3, size, size] in 0 .. 255: a random crop, of an image that AutoAugment may have changed.
at::Tensor cropped_view(const PackedImage& image, const ImageTransform& transform,
                        RandomStream& draws, PixelSource& pixels) {
  const Augmentation& augmentation = transform.augmentation;
  const bool changes_first = augmentation.kind == Augmentation::Kind::kAutoAugment;
  at::Tensor whole = pixels(image).unsqueeze(0);
  if (changes_first) {
    whole =
        auto_augment(as_floats(whole).div_(kBrightest), draws, augmentation.policy).mul(kBrightest);
  }
  const Rectangle crop = random_crop(image, augmentation.min_scale, draws);
  const std::int64_t rows = changes_first ? 2 : 1;
  at::Tensor part =
      whole.narrow(rows, crop.top, crop.height).narrow(rows + 1, crop.left, crop.width);
  if (!changes_first) part = as_floats(part);
  return resized(part, transform.size, transform.size, transform.interpolation);
}

at::Tensor change_colours(at::Tensor images, std::span<RandomStream> streams, double jitter) {
  for (const auto change : {change_brightness, change_contrast, change_saturation}) {
    std::vector<float> factors;
    for (RandomStream& stream : streams) {
      const double least = std::max(0.0, 1 - jitter);
      factors.push_back(static_cast<float>(least + (1 + jitter - least) * stream.uniform()));
    }
    images = change(images, queued_copy(at::tensor(factors, at::kFloat), images.device()));
  }
  return images;
}

// [images, 3, size, size] in 0 .. 1.
at::Tensor together(const std::vector<at::Tensor>& views) {
  return at::cat(views).clamp_(0, kBrightest).div_(kBrightest);
}

at::Tensor normalised(at::Tensor images, const ImageTransform& transform) {
  const auto per_colour = [&](const std::array<double, 3>& values) {
    return queued_copy(at::tensor(values, at::kFloat).view({1, 3, 1, 1}), images.device());
  };
  return images.sub_(per_colour(transform.mean)).div_(per_colour(transform.deviation));
}

}  // namespace

at::Tensor test_batch(std::span<const PackedImage> images, const ImageTransform& transform,
                      PixelSource& pixels) {
  std::vector<at::Tensor> views;
  while (!images.empty()) {
    const std::size_t most = std::min(images.size(), most_together(images[0], pixels.device()));
    const std::size_t count = of_one_shape(images.first(most));
    views.push_back(centre_view(images.first(count), transform, pixels));
    images = images.subspan(count);
  }
  return normalised(together(views), transform);
}

at::Tensor training_batch(std::span<const PackedImage> images,
                          std::span<const RandomStream> streams, const ImageTransform& transform,
                          PixelSource& pixels) {
  using enum Augmentation::Kind;
  const Augmentation& augmentation = transform.augmentation;
  if (augmentation.kind == kNone) return test_batch(images, transform, pixels);
  std::vector<RandomStream> draws(streams.begin(), streams.end());
  std::vector<at::Tensor> views;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const at::Tensor view = cropped_view(images[i], transform, draws[i], pixels);
    const bool mirrored = augmentation.kind != kAutoAugment && draws[i].below(2) == 1;
    views.push_back(mirrored ? view.flip(3) : view);
  }
  at::Tensor batch = together(views);
  if (augmentation.kind == kCropFlipJitter) {
    batch = change_colours(batch, draws, augmentation.jitter);
  } else if (augmentation.kind == kRandAugment) {
    batch = rand_augment(batch, draws, augmentation.operations, augmentation.magnitude);
  }
  return normalised(batch, transform);
}

}  // namespace palimpsest
