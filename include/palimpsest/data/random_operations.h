#pragma once
// Augmentations that draw operations for each image: RandAugment (Cubuk et al., 2020) and
// AutoAugment (Cubuk et al., 2019), as torchvision has them.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "palimpsest/config/run_config.h"
#include "palimpsest/core/random.h"
#include "palimpsest/data/image_operations.h"

namespace palimpsest {

// Applies `operations` random operations of this magnitude (0 .. 30) one after another; image i by
// the numbers of streams[i]. Images: [n, 3, side, side].
at::Tensor rand_augment(at::Tensor images, std::span<RandomStream> streams, std::int64_t operations,
                        double magnitude);

// One of two steps: with which probability an operation is applied, and its magnitude from 0 to 9.
struct PolicyStep {
  ImageOperationId operation;
  double probability;
  double magnitude = 0;
};
struct SubPolicy {
  PolicyStep first, second;
};

// One of them is drawn for each image. Those that were found on ImageNet, and on CIFAR-10.
std::span<const SubPolicy> auto_augment_policy(Augmentation::Policy policy);

// Image: [1, 3, height, width] in [0, 1], by the numbers of `stream`.
at::Tensor auto_augment(at::Tensor image, RandomStream& stream, Augmentation::Policy policy);

}  // namespace palimpsest
