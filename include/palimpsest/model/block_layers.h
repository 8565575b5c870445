#pragma once
// The linear layers of every block of a transformer, alike in every family: query, key and value as
// one product, the attention's output, and the two of the MLP. LoRA adapts them.
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

inline constexpr std::array<std::string_view, 6> kBlockMatrices = {"query",  "key", "value",
                                                                   "output", "fc1", "fc2"};

// A tensor of a checkpoint by its canonical name, float32, not to be written to. Throws InputError.
using TensorLoader =
    std::function<at::Tensor(const std::string& name, const std::vector<std::int64_t>& shape)>;

// Sizes and canonical names. The matrix `fc1` of block 3 is prefix + "3." + names[4].
struct BlockShape {
  std::int64_t blocks = 0, width = 0;
  std::int64_t fc1_out = 0, fc2_in = 0;  // they differ where the MLP is gated
  bool projection_bias = true;           // of query, key and value; else zero
  std::string_view prefix;
  std::array<std::string_view, 6> names;  // of kBlockMatrices
};

// The adapted matrices: `targets` in every block, among kBlockMatrices. Throws UsageError for
// another.
AdaptedLayout adapted_layout(const BlockShape& shape, std::span<const std::string> targets);

class BlockLayers {
 public:
  struct Block {
    AdaptedLinear qkv, output, fc1, fc2;

    // The leaves that a pass through the block with this adapter reads.
    std::vector<at::Tensor> factors(const Lora& lora) const;
  };

  // Matrices and biases are in `precision`: kFloat or kBFloat16.
  BlockLayers(const BlockShape& shape, std::span<const std::string> targets,
              at::ScalarType precision, const TensorLoader& load);

  const AdaptedLayout& layout() const { return layout_; }
  const std::vector<LoraGroup>& groups() const { return groups_; }
  const std::vector<Block>& blocks() const { return blocks_; }

  // Adapted weights = pretrained + difference (flat adapted vector). No adapter is active
  // afterwards.
  void set_weight_difference(std::span<const float> difference);

  // Effective weights = adapted weights + c s B A: what a pass with this adapter and c needs. c: []
  // float32, where the weights are; undefined: 1. `noise`: by module of the layout, [out, in],
  // added to float32 weights times the root mean square of the module's s B A.
  void set_adapter(const Lora& lora, const at::Tensor& c, std::span<const at::Tensor> noise = {});

 private:
  AdaptedLayout layout_;
  std::vector<LoraGroup> groups_;
  std::vector<Block> blocks_;
};

}  // namespace palimpsest
