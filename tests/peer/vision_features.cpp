// vision_features BACKBONE SIDE class|mean IMAGES OUT: for images [n, 3, side, side] (float32),
// writes the features [n, width] and then the gradient of sum(features^2) / 2 with respect to the
// images.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <fstream>
#include <iostream>
#include <iterator>

#include "palimpsest/core/error.h"
#include "palimpsest/model/vit.h"

namespace {

void append(std::ofstream& file, const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().contiguous();
  file.write(reinterpret_cast<const char*>(values.const_data_ptr<float>()), values.numel() * 4);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace palimpsest;
  if (argc != 6) return 2;
  try {
    const std::filesystem::path folder = argv[1];
    const std::int64_t side = std::stoll(argv[2]);
    const std::vector<std::string> targets = {"key", "value"};
    const PretrainedWeights weights(folder);
    const auto model = make_backbone(
        weights, read_backbone_config(folder, weights),
        {.targets = targets, .image_size = side, .mean_pooling = argv[3] == std::string("mean")},
        at::kCPU);
    std::ifstream file(argv[4], std::ios::binary);
    std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    const at::Tensor images =
        at::from_blob(bytes.data(), {std::ssize(bytes) / 4 / (3 * side * side), 3, side, side})
            .clone()
            .requires_grad_(true);
    const at::Tensor features = dynamic_cast<const Vit&>(*model).features(images, {});
    std::ofstream out(argv[5], std::ios::binary);
    append(out, features);
    append(out, torch::autograd::grad({features.pow(2).sum().div(2)}, {images})[0]);
    return 0;
  } catch (const Error& error) {
    std::cerr << error.what() << '\n';
    return 3;
  }
}
