#pragma once
// The linear layers of every block of a transformer. Matrices that read the same input are one
// product. LoRA adapts them.
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/model/adapted_linear.h"

namespace palimpsest {

// Of all families: encoders have fc1 and fc2, decoders gate, up and down.
inline constexpr std::array<std::string_view, 9> kBlockMatrices = {
    "query", "key", "value", "output", "fc1", "fc2", "gate", "up", "down"};

// A tensor of a checkpoint by its canonical name, float32, not to be written to. Throws InputError.
using TensorLoader =
    std::function<at::Tensor(const std::string& name, const std::vector<std::int64_t>& shape)>;

struct BlockMatrix {
  std::string_view target;  // of kBlockMatrices
  std::string_view name;    // canonical: in block 3 prefix + "3." + name
  std::int64_t out = 0, in = 0;
  bool has_bias = true;  // else it is zero
};

struct BlockShape {
  std::int64_t blocks = 0;
  std::string_view prefix;
  // By layer: matrices of one shape that read the same input.
  std::vector<std::vector<BlockMatrix>> layers;
};

// Of an encoder, whose layers these are.
enum EncoderLayer : std::size_t { kQkv, kOutput, kFc1, kFc2 };
struct EncoderShape {
  std::int64_t blocks = 0, width = 0;
  std::int64_t fc1_out = 0, fc2_in = 0;  // they differ where the MLP is gated
  bool projection_bias = true;           // of query, key and value
  std::string_view prefix;
  std::array<std::string_view, 6> names;  // of query, key, value, output, fc1 and fc2
};
BlockShape block_shape(const EncoderShape& shape);

// The adapted matrices: `targets` in every block. Throws UsageError for one that the blocks don't
// have.
AdaptedLayout adapted_layout(const BlockShape& shape, std::span<const std::string> targets);

// The targets of which the layout has a module.
std::vector<std::string> targets_in(const AdaptedLayout& layout, const BlockShape& shape);

class BlockLayers {
 public:
  struct Block {
    std::vector<AdaptedLinear> layers;

    const AdaptedLinear& operator[](std::size_t layer) const { return layers[layer]; }
    // The leaves that a pass through the block with this adapter reads.
    std::vector<at::Tensor> factors(const Lora& lora) const;
  };

  // Matrices and biases are in `precision`: kFloat or kBFloat16.
  BlockLayers(const BlockShape& shape, std::span<const std::string> targets,
              at::ScalarType precision, const TensorLoader& load);

  const AdaptedLayout& layout() const { return layout_; }
  const std::vector<LoraGroup>& groups() const { return groups_; }
  const std::vector<Block>& blocks() const { return blocks_; }

  // Of a module, by position in the layout, as AdaptedLinear has them. After set_weight() no
  // adapter is active in the module.
  at::Tensor weight_with(std::size_t module, std::span<const float> difference) const {
    return layer(module).weight_with(module, difference);
  }
  void set_weight(std::size_t module, const at::Tensor& weight) {
    layer(module).set_weight(module, weight);
  }
  void drop_original(std::size_t module) { layer(module).drop_original(module); }

  // Effective weights = adapted weights + c s B A: what a pass with this adapter and c needs. c: []
  // float32, where the weights are; undefined: 1. `noise`: by module of the layout, [out, in],
  // added to float32 weights times the root mean square of the module's s B A.
  void set_adapter(const Lora& lora, const at::Tensor& c, std::span<const at::Tensor> noise = {});

 private:
  const AdaptedLinear& layer(std::size_t module) const {
    const auto [block, layer] = places_.at(module);
    return blocks_[block].layers[layer];
  }
  AdaptedLinear& layer(std::size_t module) {
    return const_cast<AdaptedLinear&>(std::as_const(*this).layer(module));
  }

  AdaptedLayout layout_;
  std::vector<LoraGroup> groups_;
  std::vector<Block> blocks_;
  std::vector<std::pair<std::size_t, std::size_t>> places_;  // by module: block and layer
};

}  // namespace palimpsest
