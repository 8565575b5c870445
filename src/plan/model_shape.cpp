#include "palimpsest/plan/model_shape.h"

namespace palimpsest {
namespace {

// Biases of the six matrices, and two norms.
std::int64_t biases_and_norms(std::int64_t width, std::int64_t fc1_out) {
  return 5 * width + fc1_out + 4 * width;
}

ModelShape shape_of(const BertConfig& c) {
  const std::int64_t rows =
      c.vocabulary + c.first_position + c.positions + c.type_vocabulary;  // of the embeddings
  return {.blocks = c.layers,
          .width = c.hidden,
          .heads = c.heads,
          .fc1_out = c.intermediate,
          .fc2_in = c.intermediate,
          .block_vectors = biases_and_norms(c.hidden, c.intermediate),
          .outside = (rows + 2) * c.hidden};
}

ModelShape shape_of(const VitConfig& c) {
  const std::int64_t no_biases = c.projection_bias ? 0 : 3 * c.width;
  const std::int64_t scales = c.layer_scale ? 2 * c.width : 0;
  const std::int64_t head_norms = c.query_key_norm ? 4 * (c.width / c.heads) : 0;
  const std::int64_t rows = c.prefix() + c.placed + c.grid * c.grid + 2;  // tokens, places, norm
  return {.blocks = c.depth,
          .width = c.width,
          .heads = c.heads,
          .fc1_out = c.fc1_out(),
          .fc2_in = c.mlp,
          .block_vectors = biases_and_norms(c.width, c.fc1_out()) - no_biases + scales + head_norms,
          .outside = (3 * c.patch * c.patch + 1 + rows) * c.width};
}

}  // namespace

ModelShape model_shape(const BackboneConfig& config) {
  return std::visit([](const auto& family) { return shape_of(family); }, config);
}

std::int64_t image_tokens(const VitConfig& config, std::int64_t side) {
  const std::int64_t patches = side / config.patch;
  return config.prefix() + patches * patches;
}

}  // namespace palimpsest
