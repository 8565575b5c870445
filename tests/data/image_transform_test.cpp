#include "palimpsest/data/image_transform.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace palimpsest {
namespace {

constexpr std::int64_t kHeight = 40, kWidth = 56;

class ImageTransformTest : public testing::TestWithParam<std::string> {
 protected:
  ImageTransformTest() {
    for (std::size_t i = 0; i < pixels_.size(); ++i) {
      RandomStream stream(1, Purpose::kTest, 0, i);
      for (std::byte& value : pixels_[i]) value = static_cast<std::byte>(stream.below(256));
      images_.push_back({.bytes = pixels_[i], .height = kHeight, .width = kWidth});
      streams_.emplace_back(7, Purpose::kAugmentation, 0, i);
    }
  }

  ImageTransform transform() const {
    return {.size = 24,
            .interpolation = "bilinear",
            .augmentation = {.kind = *choice<Augmentation::Kind>(GetParam())}};
  }
  at::Tensor training(std::size_t first, std::size_t count) {
    return training_batch(std::span(images_).subspan(first, count),
                          std::span(streams_).subspan(first, count), transform(), source_);
  }

  std::array<std::vector<std::byte>, 6> pixels_ = [] {
    std::array<std::vector<std::byte>, 6> all;
    all.fill(std::vector<std::byte>(kHeight * kWidth * 3));
    return all;
  }();
  std::vector<PackedImage> images_;
  std::vector<RandomStream> streams_;
  PixelSource source_{at::kCPU};
};

TEST_P(ImageTransformTest, AnImageIsTheSameInEveryBatch) {
  const at::Tensor together = training(0, 6);
  EXPECT_EQ(together.sizes(), at::IntArrayRef({6, 3, 24, 24}));
  EXPECT_TRUE(together.isfinite().all().item<bool>());
  EXPECT_TRUE(at::equal(together, at::cat({training(0, 1), training(1, 3), training(4, 2)})));
}

TEST_P(ImageTransformTest, ImagesStayInRange) {
  const at::Tensor values = training(0, 6).mul(0.5).add(0.5);  // back from the normalisation
  EXPECT_GE(values.min().item<float>(), -1e-6);
  EXPECT_LE(values.max().item<float>(), 1 + 1e-6);
}

TEST_P(ImageTransformTest, AnotherStreamGivesAnotherView) {
  if (GetParam() == "none") GTEST_SKIP() << "nothing is drawn";
  const at::Tensor first = training(0, 1);
  int changed = 0;
  for (std::uint64_t index = 100; index < 110; ++index) {
    const RandomStream other(7, Purpose::kAugmentation, 0, index);
    const at::Tensor view =
        training_batch(std::span(images_).first(1), std::span(&other, 1), transform(), source_);
    changed += at::equal(first, view) ? 0 : 1;
  }
  EXPECT_EQ(changed, 10);
}

INSTANTIATE_TEST_SUITE_P(Augmentations, ImageTransformTest,
                         testing::Values("none", "crop-flip", "crop-flip-jitter", "rand-augment",
                                         "auto-augment"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::erase(name, '-');
                           return name;
                         });

// Columns of a wide picture, all of them there: squashed to the side of the crop.
TEST(TestView, ASquashedImageKeepsNothingOfItsShape) {
  constexpr std::int64_t height = 20, width = 200;
  std::vector<std::byte> pixels;
  for (std::int64_t i = 0; i < height * width * 3; ++i)
    pixels.push_back(static_cast<std::byte>(i / 3 % width));
  const PackedImage image{.bytes = pixels, .height = height, .width = width};
  ImageTransform transform{.size = 20,
                           .interpolation = "bilinear",
                           .mean = {0, 0, 0},
                           .deviation = {1, 1, 1},
                           .crop_share = 1};
  PixelSource source(at::kCPU);
  const auto ends = [&] {
    const at::Tensor row = test_batch(std::span(&image, 1), transform, source)[0][0][10];
    return std::pair(row[0].item<double>() * 255, row[19].item<double>() * 255);
  };
  EXPECT_NEAR(ends().first, 90, 1);  // the middle twenty columns
  EXPECT_NEAR(ends().second, 109, 1);
  transform.squash = true;
  EXPECT_NEAR(ends().first, 5.5, 1);  // ten columns to one, and what the filter takes of the next
  EXPECT_NEAR(ends().second, 193.5, 1);
  transform.crop_share = 0.5;
  EXPECT_NEAR(ends().first, 52, 1);  // the middle half
}

// A crop of a picture whose value is its column: what is kept, and which way round, can be read
// off.
TEST(RandomCrop, KeepsTheAreaItSaysAndFlipsHalf) {
  constexpr std::int64_t side = 200;
  std::vector<std::byte> pixels;
  for (std::int64_t i = 0; i < side * side * 3; ++i) {
    pixels.push_back(static_cast<std::byte>(i / 3 % side));
  }
  const PackedImage image{.bytes = pixels, .height = side, .width = side};
  const ImageTransform transform{.size = 32,
                                 .interpolation = "bilinear",
                                 .mean = {0, 0, 0},
                                 .deviation = {1, 1, 1},
                                 .augmentation = {.min_scale = 0.25}};
  PixelSource source(at::kCPU);
  int flipped = 0;
  double narrowest = side, widest = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const RandomStream stream(5, Purpose::kAugmentation, 0, i);
    const at::Tensor row =
        training_batch(std::span(&image, 1), std::span(&stream, 1), transform, source)[0][0][16];
    const double first = row[0].item<double>() * 255, last = row[31].item<double>() * 255;
    flipped += first > last ? 1 : 0;
    const double width = std::abs(last - first) * 32 / 31;
    narrowest = std::min(narrowest, width);
    widest = std::max(widest, width);
  }
  EXPECT_NEAR(flipped, 200, 40);  // four standard deviations
  // The area is at least a quarter and the ratio of the sides at most 4 : 3 either way.
  EXPECT_GE(narrowest, side * std::sqrt(0.25 * 3 / 4) - 2);
  EXPECT_LE(narrowest, side * 0.5);
  EXPECT_GE(widest, side * 0.95);
}

}  // namespace
}  // namespace palimpsest
