#include "palimpsest/model/bert.h"

#include <ATen/ATen.h>

#include "palimpsest/core/text.h"
#include "palimpsest/model/host_kernels.h"

namespace palimpsest {

BlockShape block_shape(const BertConfig& config) {
  return {.blocks = config.layers,
          .width = config.hidden,
          .fc1_out = config.intermediate,
          .fc2_in = config.intermediate,
          .prefix = "encoder.layer.",
          .names = {"attention.self.query", "attention.self.key", "attention.self.value",
                    "attention.output.dense", "intermediate.dense", "output.dense"}};
}

Bert::Bert(const BertConfig& config, const BackboneChoice& choice, const TensorLoader& load,
           at::Device device)
    : Backbone(BlockLayers(block_shape(config), choice.targets, choice.precision, load),
               config.hidden, choice, device),
      config_(config) {
  const std::int64_t hidden = config.hidden;
  const auto norm = [&](const std::string& name) {
    return LayerNorm{load(name + ".weight", {hidden}), load(name + ".bias", {hidden}),
                     config.layer_norm_epsilon};
  };
  word_embeddings_ =
      load("embeddings.word_embeddings.weight", {config.vocabulary, hidden}).to(choice.precision);
  position_embeddings_ = load("embeddings.position_embeddings.weight",
                              {config.first_position + config.positions, hidden})
                             .narrow(0, config.first_position, config.positions);
  type_embedding_ =
      load("embeddings.token_type_embeddings.weight", {config.type_vocabulary, hidden})[0].clone();
  norm_embeddings_ = norm("embeddings.LayerNorm");
  for (std::int64_t b = 0; b < config.layers; ++b) {
    const std::string block = concat("encoder.layer.", b, ".");
    norms_.push_back({.attention = norm(block + "attention.output.LayerNorm").in(choice.precision),
                      .output = norm(block + "output.LayerNorm").in(choice.precision)});
  }
}

at::Tensor Bert::hidden_states(const TextInput& input, const AdapterOptions& use) const {
  const at::Tensor embedded =
      norm_embeddings_(at::embedding(word_embeddings_, input.ids) +
                       at::embedding(position_embeddings_, input.positions) + type_embedding_)
          .to(precision());
  return through_blocks(embedded, use, [this, input, use](std::size_t b, const at::Tensor& x) {
    const BlockLayers::Block& layers = block(b);
    const at::Tensor attended = text_attention(layers.qkv.forward(x, use), input, config_.heads);
    const at::Tensor y = norms_[b].attention(x + layers.output.forward(attended, use));
    return norms_[b].output(y + layers.fc2.forward(erf_gelu(layers.fc1.forward(y, use)), use));
  });
}

at::Tensor Bert::features(const Batch& batch, const AdapterOptions& use) const {
  const TextInput input = text_input(batch);
  return mean_over_tokens(hidden_states(input, by_rows(use, batch)), input);
}

TextInput Bert::text_input(const Batch& batch) const {
  if (const auto* padded = std::get_if<PaddedTexts>(&batch.samples)) {
    return make_text_input(*padded, config_.positions, precision());
  }
  return make_text_input(std::get<Texts>(batch.samples));
}

std::vector<std::int64_t> Bert::tokens(const Batch& batch) const {
  if (const auto* padded = std::get_if<PaddedTexts>(&batch.samples)) {
    return std::vector<std::int64_t>(static_cast<std::size_t>(batch.size()), padded->ids.size(1));
  }
  return std::get<Texts>(batch.samples).lengths;
}

}  // namespace palimpsest
