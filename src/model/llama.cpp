#include "palimpsest/model/llama.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "palimpsest/core/text.h"
#include "palimpsest/model/host_kernels.h"

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

Llama::Rotation Llama::rotation(const at::Tensor& positions) const {
  const at::Tensor angles = at::outer(positions.to(at::kFloat), frequencies_).unsqueeze(1);
  return {.cosine = angles.cos().mul_(config_.rotary.scale),
          .sine = angles.sin().mul_(config_.rotary.scale)};
}

at::Tensor Llama::block_output(const at::Tensor& x, std::size_t b, const AdapterOptions& use,
                               const Rotation& rotation, const Attention& attention) const {
  const BlockLayers::Block& layers = block(b);
  const Norms& norms = norms_[b];
  const auto in_heads = [&](const at::Tensor& rows, std::int64_t heads) {
    return rows.view({-1, heads, config_.head_size});
  };
  const at::Tensor seen = norms.attention(x);
  const std::vector<at::Tensor> shared = layers[kKeyValue].forward(seen, use).chunk(2, 1);
  at::Tensor query = in_heads(layers[kQuery].forward(seen, use), config_.heads),
             key = in_heads(shared[0], config_.key_value_heads);
  if (config_.query_key_norm) {
    query = norms.query(query);
    key = norms.key(key);
  }
  const auto& [cosine, sine] = rotation;
  const at::Tensor attended = attention({.query = rotated(query, cosine, sine),
                                         .key = rotated(key, cosine, sine),
                                         .value = in_heads(shared[1], config_.key_value_heads)},
                                        b);
  const at::Tensor y = x + layers[kProjection].forward(attended, use);
  return y + layers[kDown].forward(swiglu(layers[kGateUp].forward(norms.mlp(y), use)), use);
}

Llama::Attention Llama::causal(const TextInput& texts) const {
  return [this, all = with_causal_mask(texts, 0),
          in_window = with_causal_mask(texts, config_.window)](const Heads& heads, std::size_t b) {
    const bool is_windowed = config_.is_windowed[b];
    return causal_attention(heads.query, heads.key, heads.value, is_windowed ? in_window : all,
                            is_windowed ? config_.window : 0);
  };
}

at::Tensor Llama::states(const at::Tensor& ids, const Rotation& rotation, const AdapterOptions& use,
                         const Attention& attention) const {
  const at::Tensor embedded = at::embedding(embeddings_, ids);
  return norm_(through_blocks(embedded, use,
                              [this, rotation, use, attention](std::size_t b, const at::Tensor& x) {
                                return block_output(x, b, use, rotation, attention);
                              }));
}

at::Tensor Llama::hidden_states(const TextInput& texts, const AdapterOptions& use) const {
  return states(texts.ids, rotation(texts.positions), use, causal(texts));
}

at::Tensor Llama::begin_decoding(const Batch& prompts, DecodingCache& cache) const {
  const TextInput texts = make_text_input(prompts, config_.positions, precision());
  const std::int64_t count = std::ssize(texts.lengths);
  const auto keep = [&](const at::Tensor& rows, std::vector<at::Tensor>& kept) {
    kept.push_back(at::zeros({count, config_.key_value_heads, cache.capacity, config_.head_size},
                             rows.options()));
    std::int64_t first = 0;
    for (std::int64_t text = 0; text < count; ++text) {
      const std::int64_t length = texts.lengths[static_cast<std::size_t>(text)],
                         fits = std::min(length, cache.capacity);  // what fills a text up may not
      kept.back()[text].narrow(1, 0, fits).copy_(rows.narrow(0, first, fits).transpose(0, 1));
      first += length;
    }
  };
  const Attention within = causal(texts);
  const at::Tensor hidden =
      states(texts.ids, rotation(texts.positions), {}, [&](const Heads& heads, std::size_t b) {
        keep(heads.key, cache.keys);
        keep(heads.value, cache.values);
        return within(heads, b);
      });
  cache.lengths = texts.positions.index_select(0, texts.last).add(1);
  cache.longest = cache.lengths.max().item<std::int64_t>();
  return hidden.index_select(0, texts.last);
}

at::Tensor Llama::decode(const at::Tensor& tokens, DecodingCache& cache) const {
  const std::int64_t count = tokens.size(0), shared = config_.key_value_heads,
                     size = config_.head_size;
  const std::int64_t seen = cache.longest = std::min(cache.longest + 1, cache.capacity);
  // A text that is full, as one that ended before others, writes over its last place.
  const at::Tensor places = cache.lengths.clamp_max(cache.capacity - 1);
  const at::Tensor distance =
      places.unsqueeze(1) - at::arange(seen, cache.lengths.options());  // to each token
  const auto mask_of = [&](const at::Tensor& sees) {
    return at::zeros({count, 1, 1, seen}, embeddings_.options())
        .masked_fill_(sees.logical_not().view({count, 1, 1, seen}),
                      -std::numeric_limits<double>::infinity());
  };
  const at::Tensor all = mask_of(distance >= 0),
                   in_window =
                       config_.window > 0
                           ? mask_of((distance >= 0).logical_and_(distance < config_.window))
                           : all;
  const at::Tensor place = places.view({count, 1, 1, 1}).expand({count, shared, 1, size});
  const auto attend = [&](const Heads& heads, std::size_t b) {
    cache.keys[b].scatter_(2, place, heads.key.unsqueeze(2));
    cache.values[b].scatter_(2, place, heads.value.unsqueeze(2));
    // The queries of a shared head look at it together.
    return at::scaled_dot_product_attention(
               heads.query.view({count, shared, -1, size}), cache.keys[b].narrow(2, 0, seen),
               cache.values[b].narrow(2, 0, seen), config_.is_windowed[b] ? in_window : all)
        .reshape({count, -1});
  };
  const at::Tensor hidden = states(tokens, rotation(places), {}, attend);
  cache.lengths = cache.lengths.add(1);
  return hidden;
}

at::Tensor Llama::features(const Batch& batch, const AdapterOptions& use) const {
  const TextInput input = make_text_input(batch, config_.positions, precision());
  const at::Tensor hidden = hidden_states(input, by_rows(use, batch));
  if (batch.rows.defined()) return hidden.index_select(0, batch.rows);
  return mean_pooling_ ? mean_over_tokens(hidden, input) : hidden.index_select(0, input.last);
}

std::vector<std::int64_t> Llama::tokens(const Batch& batch) const { return text_rows(batch); }

}  // namespace palimpsest
