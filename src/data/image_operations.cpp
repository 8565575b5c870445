#include "palimpsest/data/image_operations.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "palimpsest/data/colour.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
namespace {

// Where the coordinates run from.
struct Origin2d {
  double x = 0, y = 0;
};

// Black outside of the image, also where reading between pixels would take in its border.
at::Tensor read_pixels(const at::Tensor& images, const at::Tensor& sources, Sampling sampling) {
  const std::int64_t height = images.size(2), width = images.size(3);
  const at::Tensor sides =
      queued_copy(at::tensor({static_cast<float>(2.0 / static_cast<double>(width)),
                              static_cast<float>(2.0 / static_cast<double>(height))}),
                  images.device());
  const at::Tensor grid = sources.mul(sides).sub_(1).view({-1, height, width, 2});
  if (sampling == Sampling::kNearest)
    return at::grid_sampler_2d(images, grid, /*nearest*/ 1, /*zeros*/ 0, /*align_corners=*/false);
  const at::Tensor x = sources.select(2, 0), y = sources.select(2, 1);
  const at::Tensor inside = x.ge(0)
                                .logical_and_(x.lt(width))
                                .logical_and_(y.ge(0))
                                .logical_and_(y.lt(height))
                                .view({-1, 1, height, width});
  return at::grid_sampler_2d(images, grid, /*bilinear*/ 0, /*border*/ 1, /*align_corners=*/false)
      .mul_(inside);
}

// Every pixel (x, y) takes the value at (a x + b y + c, d x + e y + f), where x and y run from the
// origin; coefficients: [n, 2, 3], in pixels.
at::Tensor move_pixels(const at::Tensor& images, const at::Tensor& coefficients, Origin2d origin,
                       Sampling sampling) {
  const std::int64_t height = images.size(2), width = images.size(3);
  const at::Tensor x = at::arange(width, images.options()).add_(0.5 - origin.x).view({1, width}),
                   y = at::arange(height, images.options()).add_(0.5 - origin.y).view({height, 1});
  const at::Tensor wide = x.expand({height, width});
  const at::Tensor places = at::stack({wide, y.expand({height, width}), at::ones_like(wide)}, -1)
                                .view({height * width, 3});
  const at::Tensor sources = at::matmul(places, coefficients.transpose(1, 2));
  sources.select(2, 0).add_(origin.x);
  sources.select(2, 1).add_(origin.y);
  return read_pixels(images, sources, sampling);
}

// By coefficients of which these are others than those of the image itself: 1, 0, 0, 0, 1, 0.
at::Tensor moved(const at::Tensor& images, Sampling sampling,
                 std::initializer_list<std::pair<std::size_t, at::Tensor>> other,
                 Origin2d origin = {}) {
  const at::Tensor zero = at::zeros({images.size(0)}, images.options()), one = zero + 1;
  std::vector<at::Tensor> six = {one, zero, zero, zero, one, zero};
  for (const auto& [place, values] : other) six[place] = values;
  return move_pixels(images, at::stack(six, 1).view({-1, 2, 3}), origin, sampling);
}

// A turn about the centre, by degrees.
at::Tensor turned(const at::Tensor& images, const at::Tensor& degrees, Sampling sampling) {
  const at::Tensor angle = degrees * (std::numbers::pi / 180);
  const at::Tensor cosine = angle.cos(), sine = angle.sin();
  return moved(images, sampling, {{0, cosine}, {1, -sine}, {3, sine}, {4, cosine}},
               {static_cast<double>(images.size(3)) / 2, static_cast<double>(images.size(2)) / 2});
}

// Of a share of the greatest magnitude, and of the image's width and height.
double no_strength(double, double, double) { return 0; }
double shear_strength(double share, double, double) { return 0.3 * share; }
double shift_x_strength(double share, double width, double) {
  return 150.0 / 331.0 * width * share;
}
double shift_y_strength(double share, double, double height) {
  return 150.0 / 331.0 * height * share;
}
double turn_strength(double share, double, double) { return 30 * share; }
double blend_strength(double share, double, double) { return 0.9 * share; }
double posterize_strength(double share, double, double) { return 8 - std::nearbyint(4 * share); }
double solarize_strength(double share, double, double) { return 1 - share; }

using Strengths = const at::Tensor&;
at::Tensor same(const at::Tensor& x, Strengths, Sampling) { return x; }
at::Tensor shear_x(const at::Tensor& x, Strengths s, Sampling how) {
  return moved(x, how, {{1, s}});
}
at::Tensor shear_y(const at::Tensor& x, Strengths s, Sampling how) {
  return moved(x, how, {{3, s}});
}
at::Tensor shift_x(const at::Tensor& x, Strengths s, Sampling how) {
  return moved(x, how, {{2, -s.trunc()}});
}
at::Tensor shift_y(const at::Tensor& x, Strengths s, Sampling how) {
  return moved(x, how, {{5, -s.trunc()}});
}
at::Tensor brighten(const at::Tensor& x, Strengths s, Sampling) {
  return change_brightness(x, 1 + s);
}
at::Tensor saturate(const at::Tensor& x, Strengths s, Sampling) {
  return change_saturation(x, 1 + s);
}
at::Tensor contrast(const at::Tensor& x, Strengths s, Sampling) {
  return change_contrast(x, 1 + s);
}
at::Tensor sharpen(const at::Tensor& x, Strengths s, Sampling) {
  return change_sharpness(x, 1 + s);
}
at::Tensor fewer_bits(const at::Tensor& x, Strengths s, Sampling) { return posterize(x, s); }
at::Tensor invert_bright(const at::Tensor& x, Strengths s, Sampling) { return solarize(x, s); }
at::Tensor stretch(const at::Tensor& x, Strengths, Sampling) { return stretch_contrast(x); }
at::Tensor flatten(const at::Tensor& x, Strengths, Sampling) { return equalize(x); }
at::Tensor invert(const at::Tensor& x, Strengths, Sampling) { return 1 - x; }

// In the order of ImageOperationId.
constexpr ImageOperation kOperations[] = {{no_strength, false, same},
                                          {shear_strength, true, shear_x},
                                          {shear_strength, true, shear_y},
                                          {shift_x_strength, true, shift_x},
                                          {shift_y_strength, true, shift_y},
                                          {turn_strength, true, turned},
                                          {blend_strength, true, brighten},
                                          {blend_strength, true, saturate},
                                          {blend_strength, true, contrast},
                                          {blend_strength, true, sharpen},
                                          {posterize_strength, false, fewer_bits},
                                          {solarize_strength, false, invert_bright},
                                          {no_strength, false, stretch},
                                          {no_strength, false, flatten},
                                          {no_strength, false, invert}};

}  // namespace

std::span<const ImageOperation> image_operations() { return kOperations; }

}  // namespace palimpsest
