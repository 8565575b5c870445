#pragma once
// A decoder of the Llama family with frozen weights and adapted linear layers. A text's features
// are the last hidden state of its last token, or their mean over its tokens; those of sequences
// are the states that predict their completions.
#include <ATen/core/Tensor.h>

#include <vector>

#include "palimpsest/model/backbone.h"
#include "palimpsest/model/layers.h"
#include "palimpsest/model/text_input.h"

namespace palimpsest {

BlockShape block_shape(const LlamaConfig& config);

class Llama : public Backbone {
 public:
  Llama(const LlamaConfig& config, const BackboneChoice& choice, const TensorLoader& load,
        at::Device device);

  at::Tensor features(const Batch& batch, const AdapterOptions& use) const override;
  std::vector<std::int64_t> tokens(const Batch& batch) const override;

  // [tokens, hidden], float32, after the last norm.
  at::Tensor hidden_states(const TextInput& texts, const AdapterOptions& use = {}) const;

 private:
  struct Norms {
    RmsNorm attention, mlp;
    RmsNorm query = {}, key = {};  // undefined where heads have no norm
  };

  // What all blocks take from the texts.
  struct Positions {
    at::Tensor cosine, sine;   // [tokens, 1, head_size / 2]
    TextInput all, in_window;  // by what a token sees
  };
  Positions positions(const TextInput& texts) const;
  // Of a block: query [tokens, heads * head_size], keys and values [tokens, 2 key_value_heads *
  // head_size] -> [tokens, heads * head_size].
  at::Tensor attention(const at::Tensor& query, const at::Tensor& keys_and_values,
                       const Positions& positions, std::size_t block) const;

  LlamaConfig config_;
  bool mean_pooling_;
  at::Tensor embeddings_;   // [vocabulary, hidden]
  at::Tensor frequencies_;  // [head_size / 2]
  std::vector<Norms> norms_;
  RmsNorm norm_;
};

}  // namespace palimpsest
