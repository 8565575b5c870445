#pragma once
// A decoder of the Llama family with frozen weights and adapted linear layers. A text's features
// are the last hidden state of its last token, or their mean over its tokens; those of sequences
// are the states that predict their completions.
#include <ATen/core/Tensor.h>

#include <functional>
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
  at::Tensor begin_decoding(const Batch& prompts, DecodingCache& cache) const override;
  at::Tensor decode(const at::Tensor& tokens, DecodingCache& cache) const override;
  std::vector<std::int64_t> tokens(const Batch& batch) const override;

  // [tokens, hidden], float32, after the last norm.
  at::Tensor hidden_states(const TextInput& texts, const AdapterOptions& use = {}) const;

 private:
  struct Norms {
    RmsNorm attention, mlp;
    RmsNorm query = {}, key = {};  // undefined where heads have no norm
  };

  // What turns queries and keys by their positions.
  struct Rotation {
    at::Tensor cosine, sine;  // [tokens, 1, head_size / 2]
  };
  Rotation rotation(const at::Tensor& positions) const;

  // Of a block, by head: normed and turned. [tokens, heads, head_size], the others of
  // key_value_heads.
  struct Heads {
    at::Tensor query, key, value;
  };
  using Attention = std::function<at::Tensor(const Heads& heads, std::size_t block)>;
  // One block, with this attention: [tokens, hidden] -> [tokens, hidden].
  at::Tensor block_output(const at::Tensor& x, std::size_t block, const AdapterOptions& use,
                          const Rotation& rotation, const Attention& attention) const;
  // The attention within the texts of a batch.
  Attention causal(const TextInput& texts) const;
  at::Tensor states(const at::Tensor& ids, const Rotation& rotation, const AdapterOptions& use,
                    const Attention& attention) const;

  LlamaConfig config_;
  bool mean_pooling_;
  at::Tensor embeddings_;   // [vocabulary, hidden]
  at::Tensor frequencies_;  // [head_size / 2]
  std::vector<Norms> norms_;
  RmsNorm norm_;
};

}  // namespace palimpsest
