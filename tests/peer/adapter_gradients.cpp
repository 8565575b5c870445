// adapter_gradients BACKBONE SIDE TARGETS RANK IMAGES FACTORS OUT [bf16] [recompute] [mean]: for
// images [n, 3, side, side] and factors A, B of every adapted module in the order of the layout
// (all float32, scale 1), writes the features [n, width] and then the gradient of sum(features^2) /
// 2 with respect to each factor, in the order of FACTORS. With the side 0, IMAGES is a pack of
// texts.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/pack.h"
#include "palimpsest/model/backbone.h"

namespace {

using namespace palimpsest;

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

std::vector<float> read_floats(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<float> values(bytes.size() / sizeof(float));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(values.data()));
  return values;
}

void append(std::ofstream& file, const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().contiguous();
  file.write(reinterpret_cast<const char*>(values.const_data_ptr<float>()), values.numel() * 4);
}

// The place of a module in a LoRA: its group, and its position there.
std::pair<std::size_t, std::int64_t> find_place(const std::vector<LoraGroup>& groups,
                                                std::size_t module) {
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto& modules = groups[g].modules;
    const auto found = std::ranges::find(modules, module);
    if (found != modules.end()) return {g, found - modules.begin()};
  }
  throw Error(concat("module ", module, " is in no group"));
}

Batch all_texts(const Pack& pack) {
  Texts texts;
  for (std::int64_t i = 0; i < pack.size(); ++i) {
    const auto tokens = pack.tokens(i);
    texts.ids.insert(texts.ids.end(), tokens.begin(), tokens.end());
    texts.lengths.push_back(std::ssize(tokens));
  }
  return {.samples = std::move(texts), .targets = at::zeros({pack.size()}, at::kLong)};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 8) return 2;
  const std::vector<std::string> options(argv + 8, argv + argc);
  const std::filesystem::path folder = argv[1];
  const std::int64_t side = std::stoll(argv[2]), rank = std::stoll(argv[4]);
  const PretrainedWeights weights(folder);
  BackboneChoice choice{.targets = split_at_commas(argv[3]), .image_size = side};
  if (std::ranges::count(options, "bf16") > 0) choice.precision = at::kBFloat16;
  choice.activation_checkpointing = std::ranges::count(options, "recompute") > 0;
  choice.mean_pooling = std::ranges::count(options, "mean") > 0;
  const auto model =
      make_backbone(weights, read_backbone_config(folder, weights), choice, at::kCPU);

  std::vector<at::Tensor> leaves;
  for (const LoraGroup& group : model->lora_groups()) {
    leaves.push_back(at::empty(Lora::a_shape(group, rank)));
    leaves.push_back(at::empty(Lora::b_shape(group, rank)));
  }
  std::vector<float> images, factors = read_floats(argv[6]);
  Batch batch;
  if (side > 0) {
    images = read_floats(argv[5]);
    const std::int64_t count = std::ssize(images) / (3 * side * side);
    batch = {.samples = at::from_blob(images.data(), {count, 3, side, side}),
             .targets = at::zeros({count}, at::kLong)};
  } else {
    batch = all_texts(Pack(argv[5]));
  }
  const std::size_t modules = model->layout().modules().size();
  float* next = factors.data();
  const auto each_factor = [&](const auto& use) {
    for (std::size_t m = 0; m < modules; ++m) {
      const auto [group, position] = find_place(model->lora_groups(), m);
      use(2 * group, position);
      use(2 * group + 1, position);
    }
  };
  each_factor([&](std::size_t leaf, std::int64_t position) {
    const at::Tensor factor = leaves[leaf].select(0, position);
    factor.copy_(at::from_blob(next, factor.sizes()));
    next += factor.numel();
  });
  for (at::Tensor& leaf : leaves) leaf.requires_grad_(true);

  std::vector<Lora::Factors> by_group;
  for (std::size_t g = 0; g < model->lora_groups().size(); ++g)
    by_group.push_back({.a = leaves[2 * g], .b = leaves[2 * g + 1]});
  const Lora lora(model->lora_groups(), rank, 1, std::move(by_group));
  model->layers().set_adapter(lora, at::ones({}));
  const at::Tensor features = model->features(batch, {.lora = &lora});
  const auto gradients = torch::autograd::grad({features.pow(2).sum().div(2)}, leaves);
  std::ofstream out(argv[7], std::ios::binary);
  append(out, features);
  each_factor([&](std::size_t leaf, std::int64_t position) {
    append(out, gradients[leaf].select(0, position));
  });
}
