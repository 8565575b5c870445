#include "palimpsest/model/llama.h"

#include <ATen/ATen.h>

#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

enum DecoderLayer : std::size_t { kQuery, kKeyValue, kProjection, kGateUp, kDown };

// [tokens, heads, head_size] turned by the angles [tokens, 1, head_size / 2] of their positions.
at::Tensor rotated(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  const std::vector<at::Tensor> halves = x.to(at::kFloat).chunk(2, -1);
  return at::cat({halves[0] * cosine - halves[1] * sine, halves[1] * cosine + halves[0] * sine}, -1)
      .to(x.scalar_type());
}

}  // namespace

BlockShape block_shape(const LlamaConfig& config) {
  const std::int64_t hidden = config.hidden, middle = config.intermediate,
                     all = config.heads * config.head_size,
                     shared = config.key_value_heads * config.head_size;
  return {.blocks = config.layers,
          .prefix = "layers.",
          .layers = {{{"query", "self_attn.q_proj", all, hidden, config.query_bias}},
                     {{"key", "self_attn.k_proj", shared, hidden, config.query_bias},
                      {"value", "self_attn.v_proj", shared, hidden, config.query_bias}},
                     {{"output", "self_attn.o_proj", hidden, all, config.output_bias}},
                     {{"gate", "mlp.gate_proj", middle, hidden, config.mlp_bias},
                      {"up", "mlp.up_proj", middle, hidden, config.mlp_bias}},
                     {{"down", "mlp.down_proj", hidden, middle, config.mlp_bias}}}};
}

Llama::Llama(const LlamaConfig& config, const BackboneChoice& choice, const TensorLoader& load,
             at::Device device)
    : Backbone(BlockLayers(block_shape(config), choice.targets, choice.precision, load),
               config.hidden, choice, device),
      config_(config),
      mean_pooling_(choice.mean_pooling) {
  const auto norm = [&](const std::string& name, std::int64_t size) {
    return RmsNorm{load(name + ".weight", {size}), config.norm_epsilon};
  };
  embeddings_ =
      load("embed_tokens.weight", {config.vocabulary, config.hidden}).to(choice.precision);
  frequencies_ = at::tensor(config.rotary.frequencies).to(device);
  for (std::int64_t b = 0; b < config.layers; ++b) {
    const std::string block = concat("layers.", b, ".");
    Norms norms{
        .attention = norm(block + "input_layernorm", config.hidden).in(choice.precision),
        .mlp = norm(block + "post_attention_layernorm", config.hidden).in(choice.precision)};
    if (config.query_key_norm) {
      norms.query = norm(block + "self_attn.q_norm", config.head_size).in(choice.precision);
      norms.key = norm(block + "self_attn.k_norm", config.head_size).in(choice.precision);
    }
    norms_.push_back(std::move(norms));
  }
  norm_ = norm("norm", config.hidden);
  if (!choice.predicts_tokens) return;
  set_output_layer(
      config.tied
          ? embeddings_
          : load("lm_head.weight", {config.vocabulary, config.hidden}).to(choice.precision));
}

Llama::Positions Llama::positions(const TextInput& texts) const {
  const at::Tensor angles = at::outer(texts.positions.to(at::kFloat), frequencies_).unsqueeze(1);
  return {.cosine = angles.cos().mul_(config_.rotary.scale),
          .sine = angles.sin().mul_(config_.rotary.scale),
          .all = with_causal_mask(texts, 0),
          .in_window = with_causal_mask(texts, config_.window)};
}

at::Tensor Llama::attention(const at::Tensor& query, const at::Tensor& keys_and_values,
                            const Positions& positions, std::size_t block) const {
  const Norms& norms = norms_[block];
  const auto in_heads = [&](const at::Tensor& rows, std::int64_t heads) {
    return rows.view({-1, heads, config_.head_size});
  };
  const std::vector<at::Tensor> shared = keys_and_values.chunk(2, 1);
  at::Tensor q = in_heads(query, config_.heads), k = in_heads(shared[0], config_.key_value_heads);
  if (config_.query_key_norm) {
    q = norms.query(q);
    k = norms.key(k);
  }
  const auto& [cosine, sine, all, in_window] = positions;
  const bool is_windowed = config_.is_windowed[block];
  return causal_attention(rotated(q, cosine, sine), rotated(k, cosine, sine),
                          in_heads(shared[1], config_.key_value_heads),
                          is_windowed ? in_window : all, is_windowed ? config_.window : 0);
}

at::Tensor Llama::hidden_states(const TextInput& texts, const AdapterOptions& use) const {
  const at::Tensor embedded = at::embedding(embeddings_, texts.ids);
  const auto pass = [this, places = positions(texts), use](std::size_t b, const at::Tensor& x) {
    const BlockLayers::Block& layers = block(b);
    const at::Tensor seen = norms_[b].attention(x);
    const at::Tensor attended = attention(layers[kQuery].forward(seen, use),
                                          layers[kKeyValue].forward(seen, use), places, b);
    const at::Tensor y = x + layers[kProjection].forward(attended, use);
    const std::vector<at::Tensor> halves =
        layers[kGateUp].forward(norms_[b].mlp(y), use).chunk(2, 1);
    return y + layers[kDown].forward(at::silu(halves[0]) * halves[1], use);
  };
  return norm_(through_blocks(embedded, use, pass));
}

at::Tensor Llama::features(const Batch& batch, const AdapterOptions& use) const {
  const TextInput input = make_text_input(batch, config_.positions, precision());
  const at::Tensor hidden = hidden_states(input, by_rows(use, batch));
  if (batch.rows.defined()) return hidden.index_select(0, batch.rows);
  return mean_pooling_ ? mean_over_tokens(hidden, input) : hidden.index_select(0, input.last);
}

std::vector<std::int64_t> Llama::tokens(const Batch& batch) const { return text_rows(batch); }

}  // namespace palimpsest
