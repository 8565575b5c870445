#include <ATen/ATen.h>

#include "palimpsest/data/random_operations.h"

namespace palimpsest {
namespace {

using enum ImageOperationId;

constexpr double kStrongest = 9;  // magnitudes: 0 to 9

// The policies of the paper, as torchvision's AutoAugment has them; a test compares.
constexpr SubPolicy kOnImageNet[] = {
    {{kPosterize, 0.4, 8}, {kRotate, 0.6, 9}}, {{kSolarize, 0.6, 5}, {kAutoContrast, 0.6}},
    {{kEqualize, 0.8}, {kEqualize, 0.6}},      {{kPosterize, 0.6, 7}, {kPosterize, 0.6, 6}},
    {{kEqualize, 0.4}, {kSolarize, 0.2, 4}},   {{kEqualize, 0.4}, {kRotate, 0.8, 8}},
    {{kSolarize, 0.6, 3}, {kEqualize, 0.6}},   {{kPosterize, 0.8, 5}, {kEqualize, 1}},
    {{kRotate, 0.2, 3}, {kSolarize, 0.6, 8}},  {{kEqualize, 0.6}, {kPosterize, 0.4, 6}},
    {{kRotate, 0.8, 8}, {kColour, 0.4, 0}},    {{kRotate, 0.4, 9}, {kEqualize, 0.6}},
    {{kEqualize, 0}, {kEqualize, 0.8}},        {{kInvert, 0.6}, {kEqualize, 1}},
    {{kColour, 0.6, 4}, {kContrast, 1, 8}},    {{kRotate, 0.8, 8}, {kColour, 1, 2}},
    {{kColour, 0.8, 8}, {kSolarize, 0.8, 7}},  {{kSharpness, 0.4, 7}, {kInvert, 0.6}},
    {{kShearX, 0.6, 5}, {kEqualize, 1}},       {{kColour, 0.4, 0}, {kEqualize, 0.6}},
    {{kEqualize, 0.4}, {kSolarize, 0.2, 4}},   {{kSolarize, 0.6, 5}, {kAutoContrast, 0.6}},
    {{kInvert, 0.6}, {kEqualize, 1}},          {{kColour, 0.6, 4}, {kContrast, 1, 8}},
    {{kEqualize, 0.8}, {kEqualize, 0.6}},
};

constexpr SubPolicy kOnCifar10[] = {
    {{kInvert, 0.1}, {kContrast, 0.2, 6}},         {{kRotate, 0.7, 2}, {kTranslateX, 0.3, 9}},
    {{kSharpness, 0.8, 1}, {kSharpness, 0.9, 3}},  {{kShearY, 0.5, 8}, {kTranslateY, 0.7, 9}},
    {{kAutoContrast, 0.5}, {kEqualize, 0.9}},      {{kShearY, 0.2, 7}, {kPosterize, 0.3, 7}},
    {{kColour, 0.4, 3}, {kBrightness, 0.6, 7}},    {{kSharpness, 0.3, 9}, {kBrightness, 0.7, 9}},
    {{kEqualize, 0.6}, {kEqualize, 0.5}},          {{kContrast, 0.6, 7}, {kSharpness, 0.6, 5}},
    {{kColour, 0.7, 7}, {kTranslateX, 0.5, 8}},    {{kEqualize, 0.3}, {kAutoContrast, 0.4}},
    {{kTranslateY, 0.4, 3}, {kSharpness, 0.2, 6}}, {{kBrightness, 0.9, 6}, {kColour, 0.2, 8}},
    {{kSolarize, 0.5, 2}, {kInvert, 0}},           {{kEqualize, 0.2}, {kAutoContrast, 0.6}},
    {{kEqualize, 0.2}, {kEqualize, 0.6}},          {{kColour, 0.9, 9}, {kEqualize, 0.6}},
    {{kAutoContrast, 0.8}, {kSolarize, 0.2, 8}},   {{kBrightness, 0.1, 3}, {kColour, 0.7, 0}},
    {{kSolarize, 0.4, 5}, {kAutoContrast, 0.9}},   {{kTranslateY, 0.9, 9}, {kTranslateY, 0.7, 9}},
    {{kAutoContrast, 0.9}, {kSolarize, 0.8, 3}},   {{kEqualize, 0.8}, {kInvert, 0.1}},
    {{kTranslateY, 0.7, 9}, {kAutoContrast, 0.9}},
};

at::Tensor applied(const at::Tensor& image, const PolicyStep& step, bool reversed) {
  const ImageOperation& operation = image_operations()[static_cast<std::size_t>(step.operation)];
  const double size =
      operation.strength(step.magnitude / kStrongest, static_cast<double>(image.size(3)),
                         static_cast<double>(image.size(2)));
  const double strength = operation.has_two_directions && reversed ? -size : size;
  return operation.apply(image, at::full({1}, strength, image.options()), Sampling::kBilinear);
}

}  // namespace

std::span<const SubPolicy> auto_augment_policy(Augmentation::Policy policy) {
  if (policy == Augmentation::Policy::kCifar10) return kOnCifar10;
  return kOnImageNet;
}

at::Tensor auto_augment(at::Tensor image, RandomStream& stream, Augmentation::Policy policy) {
  const std::span<const SubPolicy> known = auto_augment_policy(policy);
  const SubPolicy& drawn = known[static_cast<std::size_t>(stream.below(known.size()))];
  for (const PolicyStep& step : {drawn.first, drawn.second}) {
    const bool is_applied = stream.uniform() < step.probability, reversed = stream.below(2) == 1;
    if (is_applied) image = applied(image, step, reversed);
  }
  return image;
}

}  // namespace palimpsest
