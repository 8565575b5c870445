#include "palimpsest/model/bert.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "palimpsest/core/text.h"
#include "palimpsest/model/host_kernels.h"

namespace palimpsest {
namespace {

// The bucket, of `buckets`, for a key `distance` tokens after its query, as T5 has them (Raffel et
// al. 2020): the first half for keys at the query and before it, the second for those after it. In
// each half, half of the buckets are for one distance each, the others for ranges that grow by
// equal factors up to 128.
std::int64_t distance_bucket(std::int64_t distance, std::int64_t buckets) {
  const std::int64_t half = buckets / 2, exact = half / 2, size = std::abs(distance);
  const std::int64_t first = distance > 0 ? half : 0;
  if (size < exact) return first + size;
  const double factors = std::log(size / static_cast<double>(exact)) / std::log(128.0 / exact);
  // The small number: where a range begins, its logarithm may be rounded down.
  const auto range = static_cast<std::int64_t>(factors * (half - exact) + 1e-9);
  return first + std::min(exact + range, half - 1);
}

// From a bias for each bucket [buckets, heads]: [heads, 2 positions - 1], column positions - 1 + d
// for a key d tokens after its query.
at::Tensor bias_by_distance(const at::Tensor& by_bucket, std::int64_t positions) {
  std::vector<std::int64_t> buckets;
  for (std::int64_t distance = 1 - positions; distance < positions; ++distance)
    buckets.push_back(distance_bucket(distance, by_bucket.size(0)));
  const at::Tensor rows = at::tensor(buckets, at::kLong).to(by_bucket.device());
  return by_bucket.index_select(0, rows).t().contiguous();
}

}  // namespace

BlockShape block_shape(const BertConfig& config) {
  return block_shape(
      EncoderShape{.blocks = config.layers,
                   .width = config.hidden,
                   .fc1_out = config.intermediate,
                   .fc2_in = config.intermediate,
                   .prefix = "encoder.layer.",
                   .names = {"attention.self.query", "attention.self.key", "attention.self.value",
                             "attention.output.dense", "intermediate.dense", "output.dense"}});
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
  if (config.type_vocabulary > 0) {
    type_embedding_ =
        load("embeddings.token_type_embeddings.weight", {config.type_vocabulary, hidden})[0]
            .clone();
  }
  if (config.attention_buckets > 0) {
    attention_bias_ = bias_by_distance(
        load("encoder.relative_attention_bias.weight", {config.attention_buckets, config.heads}),
        config.positions);
  }
  norm_embeddings_ = norm("embeddings.LayerNorm");
  for (std::int64_t b = 0; b < config.layers; ++b) {
    const std::string block = concat("encoder.layer.", b, ".");
    norms_.push_back({.attention = norm(block + "attention.output.LayerNorm").in(choice.precision),
                      .output = norm(block + "output.LayerNorm").in(choice.precision)});
  }
}

at::Tensor Bert::hidden_states(const TextInput& texts, const AdapterOptions& use) const {
  const TextInput input =
      attention_bias_.defined() ? with_attention_bias(texts, attention_bias_) : texts;
  at::Tensor sum = at::embedding(word_embeddings_, input.ids) +
                   at::embedding(position_embeddings_, input.positions);
  if (type_embedding_.defined()) sum = sum + type_embedding_;
  const at::Tensor embedded = norm_embeddings_(sum).to(precision());
  return through_blocks(embedded, use, [this, input, use](std::size_t b, const at::Tensor& x) {
    const BlockLayers::Block& layers = block(b);
    const at::Tensor attended = text_attention(layers[kQkv].forward(x, use), input, config_.heads);
    const at::Tensor y = norms_[b].attention(x + layers[kOutput].forward(attended, use));
    return norms_[b].output(y + layers[kFc2].forward(erf_gelu(layers[kFc1].forward(y, use)), use));
  });
}

at::Tensor Bert::features(const Batch& batch, const AdapterOptions& use) const {
  const TextInput input = make_text_input(batch, config_.positions, precision());
  return mean_over_tokens(hidden_states(input, by_rows(use, batch)), input);
}

std::vector<std::int64_t> Bert::tokens(const Batch& batch) const { return text_rows(batch); }

}  // namespace palimpsest
