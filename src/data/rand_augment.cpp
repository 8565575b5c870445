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

// By coefficients of which these are others than those of the image itself: 1, 0, 0, 0, 1, 0.
at::Tensor moved(const at::Tensor& images,
                 std::initializer_list<std::pair<std::size_t, at::Tensor>> other,
                 double origin = 0) {
  const at::Tensor zero = at::zeros({images.size(0)}, images.options()), one = zero + 1;
  std::vector<at::Tensor> six = {one, zero, zero, zero, one, zero};
  for (const auto& [place, values] : other) six[place] = values;
  return move_pixels(images, at::stack(six, 1).view({-1, 2, 3}), origin);
}

// A turn about the centre, by degrees.
at::Tensor turned(const at::Tensor& images, const at::Tensor& degrees) {
  const at::Tensor angle = degrees * (std::numbers::pi / 180);
  const at::Tensor cosine = angle.cos(), sine = angle.sin();
  return moved(images, {{0, cosine}, {1, -sine}, {3, sine}, {4, cosine}},
               static_cast<double>(images.size(3)) / 2);
}

double no_strength(double, double) { return 0; }
double shear_strength(double share, double) { return 0.3 * share; }
double shift_strength(double share, double side) { return 150.0 / 331.0 * side * share; }
double turn_strength(double share, double) { return 30 * share; }
double blend_strength(double share, double) { return 0.9 * share; }
double posterize_strength(double share, double) { return 8 - std::nearbyint(4 * share); }
double solarize_strength(double share, double) { return 1 - share; }

at::Tensor same(const at::Tensor& x, const at::Tensor&) { return x; }
at::Tensor shear_x(const at::Tensor& x, const at::Tensor& s) { return moved(x, {{1, s}}); }
at::Tensor shear_y(const at::Tensor& x, const at::Tensor& s) { return moved(x, {{3, s}}); }
at::Tensor shift_x(const at::Tensor& x, const at::Tensor& s) { return moved(x, {{2, -s.trunc()}}); }
at::Tensor shift_y(const at::Tensor& x, const at::Tensor& s) { return moved(x, {{5, -s.trunc()}}); }
at::Tensor brighten(const at::Tensor& x, const at::Tensor& s) {
  return change_brightness(x, 1 + s);
}
at::Tensor saturate(const at::Tensor& x, const at::Tensor& s) {
  return change_saturation(x, 1 + s);
}
at::Tensor contrast(const at::Tensor& x, const at::Tensor& s) { return change_contrast(x, 1 + s); }
at::Tensor sharpen(const at::Tensor& x, const at::Tensor& s) { return change_sharpness(x, 1 + s); }
at::Tensor stretch(const at::Tensor& x, const at::Tensor&) { return stretch_contrast(x); }
at::Tensor flatten(const at::Tensor& x, const at::Tensor&) { return equalize(x); }

constexpr RandOperation kOperations[] = {{no_strength, false, same},
                                         {shear_strength, true, shear_x},
                                         {shear_strength, true, shear_y},
                                         {shift_strength, true, shift_x},
                                         {shift_strength, true, shift_y},
                                         {turn_strength, true, turned},
                                         {blend_strength, true, brighten},
                                         {blend_strength, true, saturate},
                                         {blend_strength, true, contrast},
                                         {blend_strength, true, sharpen},
                                         {posterize_strength, false, posterize},
                                         {solarize_strength, false, solarize},
                                         {no_strength, false, stretch},
                                         {no_strength, false, flatten}};
constexpr std::size_t kCount = std::size(kOperations);

}  // namespace

std::span<const RandOperation> rand_operations() { return kOperations; }

at::Tensor rand_augment(at::Tensor images, std::span<RandomStream> streams, std::int64_t operations,
                        double magnitude) {
  for (std::int64_t round = 0; round < operations; ++round) {
    // Images that drew the same operation go through it together.
    std::array<std::vector<std::int64_t>, kCount> members;
    std::array<std::vector<float>, kCount> strengths;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      const auto drawn = static_cast<std::size_t>(streams[i].below(kCount));
      const bool reversed = streams[i].below(2) == 1;
      const RandOperation& operation = kOperations[drawn];
      const double size =
          operation.strength(magnitude / kMagnitudes, static_cast<double>(images.size(3)));
      members[drawn].push_back(static_cast<std::int64_t>(i));
      strengths[drawn].push_back(
          static_cast<float>(reversed && operation.has_two_directions ? -size : size));
    }
    at::Tensor changed = images.clone();
    for (std::size_t drawn = 0; drawn < members.size(); ++drawn) {
      if (members[drawn].empty()) continue;
      const at::Tensor which = queued_copy(at::tensor(members[drawn], at::kLong), images.device());
      const at::Tensor amounts =
          queued_copy(at::tensor(strengths[drawn], at::kFloat), images.device());
      changed.index_copy_(0, which,
                          kOperations[drawn].apply(images.index_select(0, which), amounts));
    }
    images = changed;
  }
  return images;
}

}  // namespace palimpsest
