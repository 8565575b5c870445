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

std::string matrix_name(const BlockShape& shape, std::int64_t block, const BlockMatrix& matrix) {
  return concat(shape.prefix, block, ".", matrix.name);
}

std::vector<BlockMatrix> all_matrices(const BlockShape& shape) {
  std::vector<BlockMatrix> all;
  for (const auto& layer : shape.layers) all.insert(all.end(), layer.begin(), layer.end());
  return all;
}

}  // namespace

BlockShape block_shape(const EncoderShape& shape) {
  const auto& [query, key, value, output, fc1, fc2] = shape.names;
  const std::int64_t width = shape.width;
  const bool bias = shape.projection_bias;
  return {.blocks = shape.blocks,
          .prefix = shape.prefix,
          .layers = {{{"query", query, width, width, bias},
                      {"key", key, width, width, bias},
                      {"value", value, width, width, bias}},
                     {{"output", output, width, width}},
                     {{"fc1", fc1, shape.fc1_out, width}},
                     {{"fc2", fc2, width, shape.fc2_in}}}};
}

AdaptedLayout adapted_layout(const BlockShape& shape, std::span<const std::string> targets) {
  const std::vector<BlockMatrix> matrices = all_matrices(shape);
  std::vector<AdaptedModule> modules;
  for (const std::string& target : targets) {
    const auto known = std::ranges::find(matrices, target, &BlockMatrix::target);
    if (known == matrices.end()) {
      std::vector<std::string_view> names;
      for (const BlockMatrix& matrix : matrices) names.push_back(matrix.target);
      throw UsageError(concat("targets: '", target, "' is not a matrix of this backbone's blocks; ",
                              "use ", in_words(names, "or")));
    }
    for (std::int64_t block = 0; block < shape.blocks; ++block) {
      modules.push_back(
          {.name = matrix_name(shape, block, *known), .out = known->out, .in = known->in});
    }
  }
  return AdaptedLayout(std::move(modules));
}

std::vector<std::string> targets_in(const AdaptedLayout& layout, const BlockShape& shape) {
  std::vector<std::string> targets;
  for (const BlockMatrix& matrix : all_matrices(shape)) {
    for (std::int64_t block = 0; block < shape.blocks; ++block) {
      const std::string name = matrix_name(shape, block, matrix);
      if (std::ranges::count(layout.modules(), name, &AdaptedModule::name) == 0) continue;
      targets.emplace_back(matrix.target);
      break;
    }
  }
  return targets;
}

std::vector<at::Tensor> BlockLayers::Block::factors(const Lora& lora) const {
  std::vector<at::Tensor> all;
  for (const AdaptedLinear& layer : layers) layer.append_factors(lora, all);
  return all;
}

BlockLayers::BlockLayers(const BlockShape& shape, std::span<const std::string> targets,
                         at::ScalarType precision, const TensorLoader& load)
    : layout_(adapted_layout(shape, targets)), places_(layout_.modules().size()) {
  std::map<std::string_view, std::size_t> adapted;
  for (std::size_t m = 0; m < layout_.modules().size(); ++m) adapted[layout_.modules()[m].name] = m;

  const auto make_layer = [&](std::int64_t block, const std::vector<BlockMatrix>& matrices) {
    std::vector<AdaptedLinear::Matrix> loaded;
    for (const BlockMatrix& matrix : matrices) {
      const std::string name = matrix_name(shape, block, matrix);
      AdaptedLinear::Matrix made{.weight = load(name + ".weight", {matrix.out, matrix.in})};
      made.bias = matrix.has_bias ? load(name + ".bias", {matrix.out})
                                  : at::zeros({matrix.out}, made.weight.options());
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
    Block& block = blocks_.emplace_back();
    for (const std::vector<BlockMatrix>& matrices : shape.layers) {
      const auto group = block.layers.emplace_back(make_layer(b, matrices)).group();
      if (!group) continue;
      for (const std::size_t module : group->modules)
        places_[module] = {blocks_.size() - 1, block.layers.size() - 1};
    }
  }
}

void BlockLayers::set_adapter(const Lora& lora, const at::Tensor& c,
                              std::span<const at::Tensor> noise) {
  for (Block& block : blocks_) {
    for (AdaptedLinear& layer : block.layers) layer.set_adapter(lora, c, noise);
  }
}

}  // namespace palimpsest
