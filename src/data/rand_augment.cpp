#include "palimpsest/data/rand_augment.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "palimpsest/data/colour.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

constexpr double kMagnitudes = 30;

bool has_two_directions(Operation operation) {
  return operation >= Operation::kShearX && operation <= Operation::kSharpness;
}

// Every pixel (x, y) takes the value nearest to (a x + b y + c, d x + e y + f), where x and y run
// from the origin; coefficients: [n, 2, 3], in pixels.
at::Tensor move_pixels(const at::Tensor& images, const at::Tensor& coefficients, double origin) {
  const std::int64_t side = images.size(3);
  const at::Tensor centres = at::arange(side, images.options()).add_(0.5 - origin);
  const at::Tensor x = centres.view({1, side}).expand({side, side});
  const at::Tensor places = at::stack({x, x.t(), at::ones_like(x)}, -1).view({side * side, 3});
  const at::Tensor sources = at::matmul(places, coefficients.transpose(1, 2)).add_(origin);
  const at::Tensor grid =
      sources.mul_(2.0 / static_cast<double>(side)).sub_(1).view({-1, side, side, 2});
  return at::grid_sampler_2d(images, grid, /*nearest*/ 1, /*zeros*/ 0, /*align_corners=*/false);
}

// The six coefficients of each image, side by side.
at::Tensor coefficients(std::initializer_list<at::Tensor> six) {
  return at::stack(at::TensorList(six.begin(), six.size()), 1).view({-1, 2, 3});
}

at::Tensor move(Operation operation, const at::Tensor& images, const at::Tensor& strengths) {
  const at::Tensor zero = at::zeros_like(strengths), one = at::ones_like(strengths);
  switch (operation) {
    case Operation::kShearX:
      return move_pixels(images, coefficients({one, strengths, zero, zero, one, zero}), 0);
    case Operation::kShearY:
      return move_pixels(images, coefficients({one, zero, zero, strengths, one, zero}), 0);
    case Operation::kTranslateX:
      return move_pixels(images, coefficients({one, zero, -strengths.trunc(), zero, one, zero}), 0);
    case Operation::kTranslateY:
      return move_pixels(images, coefficients({one, zero, zero, zero, one, -strengths.trunc()}), 0);
    default: {  // a turn about the centre
      const at::Tensor angle = strengths * (std::numbers::pi / 180);
      const at::Tensor cosine = angle.cos(), sine = angle.sin();
      return move_pixels(images, coefficients({cosine, -sine, zero, sine, cosine, zero}),
                         static_cast<double>(images.size(3)) / 2);
    }
  }
}

}  // namespace

double strength(Operation operation, double magnitude, std::int64_t side) {
  const double share = magnitude / kMagnitudes;
  switch (operation) {
    case Operation::kShearX:
    case Operation::kShearY:
      return 0.3 * share;
    case Operation::kTranslateX:
    case Operation::kTranslateY:
      return 150.0 / 331.0 * static_cast<double>(side) * share;
    case Operation::kRotate:
      return 30 * share;
    case Operation::kBrightness:
    case Operation::kColour:
    case Operation::kContrast:
    case Operation::kSharpness:
      return 0.9 * share;
    case Operation::kPosterize:
      return 8 - std::nearbyint(4 * share);
    case Operation::kSolarize:
      return 1 - share;
    default:
      return 0;
  }
}

at::Tensor apply(Operation operation, const at::Tensor& images, const at::Tensor& strengths) {
  switch (operation) {
    case Operation::kIdentity:
      return images;
    case Operation::kBrightness:
      return change_brightness(images, 1 + strengths);
    case Operation::kColour:
      return change_saturation(images, 1 + strengths);
    case Operation::kContrast:
      return change_contrast(images, 1 + strengths);
    case Operation::kSharpness:
      return change_sharpness(images, 1 + strengths);
    case Operation::kPosterize:
      return posterize(images, strengths);
    case Operation::kSolarize:
      return solarize(images, strengths);
    case Operation::kAutoContrast:
      return stretch_contrast(images);
    case Operation::kEqualize:
      return equalize(images);
    default:
      return move(operation, images, strengths);
  }
}

at::Tensor rand_augment(at::Tensor images, std::span<RandomStream> streams, std::int64_t operations,
                        double magnitude) {
  for (std::int64_t round = 0; round < operations; ++round) {
    // Images that drew the same operation go through it together.
    std::array<std::vector<std::int64_t>, kOperations> members;
    std::array<std::vector<float>, kOperations> strengths;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      const auto drawn = static_cast<std::size_t>(streams[i].below(kOperations));
      const bool reversed = streams[i].below(2) == 1;
      const auto operation = static_cast<Operation>(drawn);
      const double size = strength(operation, magnitude, images.size(3));
      members[drawn].push_back(static_cast<std::int64_t>(i));
      strengths[drawn].push_back(
          static_cast<float>(reversed && has_two_directions(operation) ? -size : size));
    }
    at::Tensor changed = images.clone();
    for (std::size_t drawn = 0; drawn < members.size(); ++drawn) {
      if (members[drawn].empty()) continue;
      const at::Tensor which = queued_copy(at::tensor(members[drawn], at::kLong), images.device());
      const at::Tensor amounts =
          queued_copy(at::tensor(strengths[drawn], at::kFloat), images.device());
      changed.index_copy_(
          0, which, apply(static_cast<Operation>(drawn), images.index_select(0, which), amounts));
    }
    images = changed;
  }
  return images;
}

}  // namespace palimpsest
