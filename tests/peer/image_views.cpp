// image_views view HEIGHT WIDTH PIXELS|JPEG SIDE bilinear|bicubic CROP_SHARE OUT: the test view of
// one image, not normalised, [3, SIDE, SIDE] float32. image_views operation NUMBER IMAGES SIDE
// STRENGTH OUT: an operation of RandAugment on images [n, 3, SIDE, SIDE] float32.
#include <ATen/ATen.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/data/image_transform.h"
#include "palimpsest/data/rand_augment.h"

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
    if (arguments.size() == 8 && arguments[0] == "view") {
      const std::vector<char> bytes = read(arguments[3]);
      const PackedImage image{.bytes = std::as_bytes(std::span(bytes)),
                              .height = std::stoll(arguments[1]),
                              .width = std::stoll(arguments[2]),
                              .jpeg = arguments[3].ends_with(".jpg")};
      const ImageTransform transform{.size = std::stoll(arguments[4]),
                                     .interpolation = arguments[5],
                                     .mean = {0, 0, 0},
                                     .deviation = {1, 1, 1},
                                     .crop_share = std::stod(arguments[6])};
      PixelSource pixels(at::kCPU);
      write(arguments[7], test_batch(std::span(&image, 1), transform, pixels));
      return 0;
    }
    if (arguments.size() == 6 && arguments[0] == "operation") {
      std::vector<char> bytes = read(arguments[2]);
      const std::int64_t side = std::stoll(arguments[3]);
      const std::int64_t count = std::ssize(bytes) / 4 / (3 * side * side);
      const at::Tensor images = at::from_blob(bytes.data(), {count, 3, side, side});
      const at::Tensor strengths = at::full({count}, std::stod(arguments[4]));
      const RandOperation& operation = rand_operations()[std::stoul(arguments[1])];
      write(arguments[5], operation.apply(images, strengths));
      return 0;
    }
    return 2;
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return 3;
  }
}
