#pragma once
// A BERT, RoBERTa or MPNet encoder with frozen weights and adapted linear layers; a text's features
// are the mean of its last hidden states.
#include <ATen/core/Tensor.h>

#include <vector>

#include "palimpsest/model/backbone.h"
#include "palimpsest/model/layers.h"
#include "palimpsest/model/text_input.h"

namespace palimpsest {

BlockShape block_shape(const BertConfig& config);

class Bert : public Backbone {
 public:
  Bert(const BertConfig& config, const BackboneChoice& choice, const TensorLoader& load,
       at::Device device);

  at::Tensor features(const Batch& batch, const AdapterOptions& use) const override;
  std::vector<std::int64_t> tokens(const Batch& batch) const override;

  // [tokens, hidden] of the last block.
  at::Tensor hidden_states(const TextInput& texts, const AdapterOptions& use = {}) const;

 private:
  struct Norms {
    LayerNorm attention, output;
  };

  BertConfig config_;
  at::Tensor word_embeddings_, position_embeddings_;
  at::Tensor type_embedding_;  // undefined where tokens have no types
  at::Tensor attention_bias_;  // [heads, 2 positions - 1], by distance; undefined: none
  LayerNorm norm_embeddings_;
  std::vector<Norms> norms_;
};

}  // namespace palimpsest
