#pragma once
// A BERT encoder with frozen weights and adapted linear layers; a text's features are the mean of
// its last hidden states.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/format/bert_config.h"
#include "palimpsest/format/safetensors.h"
#include "palimpsest/model/adapted_linear.h"
#include "palimpsest/model/lora.h"
#include "palimpsest/model/text_input.h"

namespace palimpsest {

// The adapted matrices: `targets` in every block, among query, key, value, output, fc1, fc2. Throws
// UsageError for another.
AdaptedLayout adapted_layout(const BertConfig& config, std::span<const std::string> targets);

class Bert {
 public:
  // Throws InputError for a missing or misshapen tensor.
  Bert(const SafetensorsFile& weights, const BertConfig& config,
       std::span<const std::string> targets, at::Device device);

  const AdaptedLayout& layout() const { return layout_; }
  const std::vector<LoraGroup>& lora_groups() const { return groups_; }
  std::int64_t feature_size() const { return config_.hidden; }
  std::int64_t vocabulary() const { return config_.vocabulary; }
  std::int64_t positions() const { return config_.positions; }
  at::Device device() const { return word_embeddings_.device(); }

  // Adapted weights = pretrained + difference (flat adapted vector). No adapter is active
  // afterwards.
  void set_difference(std::span<const float> difference);

  // Effective weights = adapted weights + c s B A: the model that the next features() with this
  // adapter see.
  void set_adapter(const Lora& lora, double c);

  // [tokens, hidden] of the last block. With an adapter (after set_adapter with the same c),
  // gradients flow to its factors; with a tap, every adapted module's input and output gradient
  // reach the tap.
  at::Tensor hidden_states(const TextInput& input, const Lora* lora = nullptr, double c = 1,
                           const GradientTap* tap = nullptr) const;

  // [texts, hidden]: the mean over each text's tokens, not normalised.
  at::Tensor features(const TextInput& input, const Lora* lora = nullptr, double c = 1,
                      const GradientTap* tap = nullptr) const;

 private:
  struct LayerNorm {
    at::Tensor weight, bias;
  };
  struct Block {
    AdaptedLinear qkv, output, fc1, fc2;
    LayerNorm norm_attention, norm_output;
  };

  BertConfig config_;
  AdaptedLayout layout_;
  std::vector<LoraGroup> groups_;
  at::Tensor word_embeddings_, position_embeddings_, type_embedding_;
  LayerNorm norm_embeddings_;
  std::vector<Block> blocks_;
};

}  // namespace palimpsest
