#include "palimpsest/model/block_layers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <optional>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/setting_spec.h"

namespace palimpsest {
namespace {

enum Matrix : std::size_t { kQuery, kKey, kValue, kOutput, kFc1, kFc2 };

std::string matrix_name(const BlockShape& shape, std::int64_t block, std::size_t matrix) {
  return concat(shape.prefix, block, ".", shape.names[matrix]);
}

std::int64_t output_width(const BlockShape& shape, std::size_t matrix) {
  return matrix == kFc1 ? shape.fc1_out : shape.width;
}

std::int64_t input_width(const BlockShape& shape, std::size_t matrix) {
  return matrix == kFc2 ? shape.fc2_in : shape.width;
}

}  // namespace

AdaptedLayout adapted_layout(const BlockShape& shape, std::span<const std::string> targets) {
  std::vector<AdaptedModule> modules;
  for (const std::string& target : targets) {
    const auto known = std::ranges::find(kBlockMatrices, target);
    if (known == kBlockMatrices.end()) {
      throw UsageError(concat("targets: '", target, "' is not a matrix of a block; use ",
                              in_words(kBlockMatrices, "or")));
    }
    const auto matrix = static_cast<std::size_t>(known - kBlockMatrices.begin());
    for (std::int64_t block = 0; block < shape.blocks; ++block) {
      modules.push_back({.name = matrix_name(shape, block, matrix),
                         .out = output_width(shape, matrix),
                         .in = input_width(shape, matrix)});
    }
  }
  return AdaptedLayout(std::move(modules));
}

std::vector<at::Tensor> BlockLayers::Block::factors(const Lora& lora) const {
  std::vector<at::Tensor> all;
  for (const AdaptedLinear* layer : {&qkv, &output, &fc1, &fc2}) layer->append_factors(lora, all);
  return all;
}

BlockLayers::BlockLayers(const BlockShape& shape, std::span<const std::string> targets,
                         at::ScalarType precision, const TensorLoader& load)
    : layout_(adapted_layout(shape, targets)) {
  std::map<std::string_view, std::size_t> adapted;
  for (std::size_t m = 0; m < layout_.modules().size(); ++m) adapted[layout_.modules()[m].name] = m;

  // One layer out of matrices that read the same input.
  const auto layer = [&](std::int64_t block, std::initializer_list<Matrix> matrices) {
    const std::int64_t out = output_width(shape, *matrices.begin()),
                       in = input_width(shape, *matrices.begin());
    std::vector<AdaptedLinear::Matrix> loaded;
    for (const Matrix matrix : matrices) {
      const std::string name = matrix_name(shape, block, matrix);
      AdaptedLinear::Matrix made{.weight = load(name + ".weight", {out, in})};
      const bool has_bias = shape.projection_bias || matrix > kValue;
      made.bias = has_bias ? load(name + ".bias", {out}) : at::zeros({out}, made.weight.options());
      if (const auto found = adapted.find(name); found != adapted.end()) {
        made.module = found->second;
      }
      loaded.push_back(std::move(made));
    }
    AdaptedLinear made(loaded, precision, groups_.size());
    if (std::optional<LoraGroup> group = made.group()) groups_.push_back(std::move(*group));
    return made;
  };
  for (std::int64_t b = 0; b < shape.blocks; ++b) {
    blocks_.push_back({.qkv = layer(b, {kQuery, kKey, kValue}),
                       .output = layer(b, {kOutput}),
                       .fc1 = layer(b, {kFc1}),
                       .fc2 = layer(b, {kFc2})});
  }
}

void BlockLayers::set_weight_difference(std::span<const float> difference) {
  for (Block& block : blocks_) {
    for (AdaptedLinear* layer : {&block.qkv, &block.output, &block.fc1, &block.fc2}) {
      layer->set_weight_difference(difference, layout_);
    }
  }
}

void BlockLayers::set_adapter(const Lora& lora, const at::Tensor& c,
                              std::span<const at::Tensor> noise) {
  for (Block& block : blocks_) {
    for (AdaptedLinear* layer : {&block.qkv, &block.output, &block.fc1, &block.fc2}) {
      layer->set_adapter(lora, c, noise);
    }
  }
}

}  // namespace palimpsest
