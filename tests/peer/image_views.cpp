// image_views view HEIGHT WIDTH PIXELS|JPEG SIDE bilinear|bicubic CROP_SHARE short-side|both-sides
// OUT: the test view of one image, not normalised, [3, SIDE, SIDE] float32. image_views operation
// NUMBER IMAGES HEIGHT WIDTH STRENGTH nearest|bilinear OUT: an operation on images [n, 3, HEIGHT,
// WIDTH] float32. image_views strength NUMBER SHARE HEIGHT WIDTH, image_views policy
// imagenet|cifar10: how strong an operation is, and AutoAugment's pairs of number, probability and
// magnitude, a line each.
#include <ATen/ATen.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/data/image_transform.h"
#include "palimpsest/data/random_operations.h"

namespace {

std::vector<char> read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const at::Tensor& values) {
  const at::Tensor whole = values.contiguous();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(whole.const_data_ptr<float>()), whole.numel() * 4);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace palimpsest;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.size() == 9 && arguments[0] == "view") {
      const std::vector<char> bytes = read(arguments[3]);
      const PackedImage image{.bytes = std::as_bytes(std::span(bytes)),
                              .height = std::stoll(arguments[1]),
                              .width = std::stoll(arguments[2]),
                              .jpeg = arguments[3].ends_with(".jpg")};
      const ImageTransform transform{.size = std::stoll(arguments[4]),
                                     .interpolation = arguments[5],
                                     .mean = {0, 0, 0},
                                     .deviation = {1, 1, 1},
                                     .crop_share = std::stod(arguments[6]),
                                     .squash = arguments[7] == "both-sides"};
      PixelSource pixels(at::kCPU);
      write(arguments[8], test_batch(std::span(&image, 1), transform, pixels));
      return 0;
    }
    if (arguments.size() == 8 && arguments[0] == "operation") {
      std::vector<char> bytes = read(arguments[2]);
      const std::int64_t height = std::stoll(arguments[3]), width = std::stoll(arguments[4]);
      const std::int64_t count = std::ssize(bytes) / 4 / (3 * height * width);
      const at::Tensor images = at::from_blob(bytes.data(), {count, 3, height, width});
      const at::Tensor strengths = at::full({count}, std::stod(arguments[5]));
      const Sampling sampling =
          arguments[6] == "bilinear" ? Sampling::kBilinear : Sampling::kNearest;
      const ImageOperation& operation = image_operations()[std::stoul(arguments[1])];
      write(arguments[7], operation.apply(images, strengths, sampling));
      return 0;
    }
    if (arguments.size() == 5 && arguments[0] == "strength") {
      std::cout << shortest(image_operations()[std::stoul(arguments[1])].strength(
                       std::stod(arguments[2]), std::stod(arguments[4]), std::stod(arguments[3])))
                << '\n';
      return 0;
    }
    if (arguments.size() == 2 && arguments[0] == "policy") {
      const auto policy = choice<Augmentation::Policy>(arguments[1]).value();
      for (const SubPolicy& pair : auto_augment_policy(policy)) {
        for (const PolicyStep& step : {pair.first, pair.second}) {
          std::cout << static_cast<std::size_t>(step.operation) << ' ' << shortest(step.probability)
                    << ' ' << shortest(step.magnitude) << '\n';
        }
      }
      return 0;
    }
    return 2;
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return 3;
  }
}
