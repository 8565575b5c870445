#include "palimpsest/plan/model_shape.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// Biases of the six matrices, and two norms.
std::int64_t biases_and_norms(std::int64_t width, std::int64_t fc1_out) {
  return 5 * width + fc1_out + 4 * width;
}

ModelShape shape_from_config(const BertConfig& c) {
  const std::int64_t rows =
      c.vocabulary + c.first_position + c.positions + c.type_vocabulary;  // of the embeddings
  return {.texts = true,
          .blocks = c.layers,
          .width = c.hidden,
          .heads = c.heads,
          .fc1_out = c.intermediate,
          .fc2_in = c.intermediate,
          .attention_weights = 4 * c.hidden * c.hidden,
          .block_vectors = biases_and_norms(c.hidden, c.intermediate),
          .outside = (rows + 2) * c.hidden + c.attention_buckets * c.heads,
          .attention_bias = c.attention_buckets > 0};
}

ModelShape shape_from_config(const VitConfig& c) {
  const std::int64_t no_biases = c.projection_bias ? 0 : 3 * c.width;
  const std::int64_t scales = c.layer_scale ? 2 * c.width : 0;
  const std::int64_t head_norms = c.query_key_norm ? 4 * (c.width / c.heads) : 0;
  const std::int64_t rows = c.prefix() + c.placed + c.grid * c.grid + 2;  // tokens, places, norm
  return {.texts = false,
          .blocks = c.depth,
          .width = c.width,
          .heads = c.heads,
          .fc1_out = c.fc1_out(),
          .fc2_in = c.mlp,
          .attention_weights = 4 * c.width * c.width,
          .block_vectors = biases_and_norms(c.width, c.fc1_out()) - no_biases + scales + head_norms,
          .outside = (3 * c.patch * c.patch + 1 + rows) * c.width};
}

ModelShape shape_from_config(const LlamaConfig& c) {
  const std::int64_t all = c.heads * c.head_size, shared = c.key_value_heads * c.head_size;
  const std::int64_t biases = (c.query_bias ? all + 2 * shared : 0) +
                              (c.output_bias ? c.hidden : 0) +
                              (c.mlp_bias ? 2 * c.intermediate + c.hidden : 0);
  return {.texts = true,
          .blocks = c.layers,
          .width = c.hidden,
          .heads = c.heads,
          .fc1_out = 2 * c.intermediate,
          .fc2_in = c.intermediate,
          .attention_weights = 2 * c.hidden * (all + shared),
          .block_vectors = biases + 2 * c.hidden + (c.query_key_norm ? 2 * c.head_size : 0),
          .outside = (c.vocabulary + 1) * c.hidden,
          .embedding = c.vocabulary * c.hidden,
          .output = c.vocabulary * c.hidden,
          .tied = c.tied};
}

VitConfig vision(std::int64_t width, std::int64_t depth, std::int64_t heads, std::int64_t mlp,
                 std::int64_t patch, std::int64_t grid, bool layer_scale = false) {
  return {.width = width,
          .depth = depth,
          .heads = heads,
          .mlp = mlp,
          .patch = patch,
          .grid = grid,
          .placed = 1,
          .layer_scale = layer_scale};
}

BertConfig texts(std::int64_t hidden, std::int64_t layers, std::int64_t heads) {
  return {.hidden = hidden,
          .layers = layers,
          .heads = heads,
          .intermediate = 4 * hidden,
          .vocabulary = 30522,
          .positions = 512,
          .hidden_act = "gelu"};
}

BertConfig mpnet_base() {
  BertConfig config = texts(768, 12, 12);
  config.vocabulary = 30527;
  config.first_position = 2;
  config.type_vocabulary = 0;
  config.attention_buckets = 32;
  return config;
}

LlamaConfig decoder(std::int64_t hidden, std::int64_t layers, std::int64_t heads,
                    std::int64_t key_value_heads, std::int64_t intermediate,
                    std::int64_t vocabulary, std::int64_t positions, bool tied = false) {
  return {.hidden = hidden,
          .layers = layers,
          .heads = heads,
          .key_value_heads = key_value_heads,
          .head_size = hidden / heads,
          .intermediate = intermediate,
          .vocabulary = vocabulary,
          .positions = positions,
          .tied = tied};
}

LlamaConfig qwen2_half_billion() {
  LlamaConfig config = decoder(896, 24, 14, 2, 4864, 151936, 32768, /*tied=*/true);
  config.query_bias = true;
  return config;
}

struct PublishedShape {
  std::string_view name;
  BackboneConfig config;
};

// Dosovitskiy et al. 2021 (ViT-Ti: Touvron et al. 2021; ViT-g: Zhai et al. 2022, as timm's
// vit_giant_patch14); DINOv2: Oquab et al. 2023, position embeddings of 37 x 37 patches; Devlin et
// al. 2019; MiniLM: Wang et al. 2020; MPNet: Song et al. 2020; SmolLM2: Ben Allal et al. 2025;
// Qwen2: Yang et al. 2024; TinyLlama: Zhang et al. 2024; Llama 2: Touvron et al. 2023; Llama 3:
// Dubey et al. 2024.
std::vector<PublishedShape> published_shapes() {
  return {{"vit-ti/16", vision(192, 12, 3, 768, 16, 14)},
          {"vit-s/16", vision(384, 12, 6, 1536, 16, 14)},
          {"vit-b/16", vision(768, 12, 12, 3072, 16, 14)},
          {"vit-l/16", vision(1024, 24, 16, 4096, 16, 14)},
          {"vit-h/14", vision(1280, 32, 16, 5120, 14, 16)},
          {"vit-g/14", vision(1408, 40, 16, 6144, 14, 16)},
          {"dinov2-s/14", vision(384, 12, 6, 1536, 14, 37, true)},
          {"dinov2-b/14", vision(768, 12, 12, 3072, 14, 37, true)},
          {"dinov2-l/14", vision(1024, 24, 16, 4096, 14, 37, true)},
          {"minilm-l6", texts(384, 6, 12)},
          {"bert-base", texts(768, 12, 12)},
          {"bert-large", texts(1024, 24, 16)},
          {"mpnet-base", mpnet_base()},
          {"smollm2-135m", decoder(576, 30, 9, 3, 1536, 49152, 8192, true)},
          {"qwen2-0.5b", qwen2_half_billion()},
          {"tinyllama-1.1b", decoder(2048, 22, 32, 4, 5632, 32000, 2048)},
          {"llama2-7b", decoder(4096, 32, 32, 32, 11008, 32000, 4096)},
          {"llama3-8b", decoder(4096, 32, 32, 8, 14336, 128256, 8192)},
          {"llama3-70b", decoder(8192, 80, 64, 8, 28672, 128256, 8192)}};
}

}  // namespace

BackboneConfig shape_without_weights(const std::string& shape) {
  const std::vector<PublishedShape> shapes = published_shapes();
  const auto found = std::ranges::find(shapes, shape, &PublishedShape::name);
  if (found != shapes.end()) return found->config;
  const std::filesystem::path path(shape);
  if (std::filesystem::is_directory(path)) return read_text_config(path / "config.json");
  if (std::filesystem::exists(path)) return read_text_config(path);
  throw UsageError(concat("--shape ", shape, " is not known; use one of ",
                          join(shapes, ", ", &PublishedShape::name),
                          ", or the config.json of a decoder or a text encoder; or leave --shape "
                          "out and name the model's folder as --backbone"));
}

ModelShape model_shape(const BackboneConfig& config) {
  return std::visit([](const auto& family) { return shape_from_config(family); }, config);
}

std::int64_t image_tokens(const VitConfig& config, std::int64_t side) {
  const std::int64_t patches = side / config.patch;
  return config.prefix() + patches * patches;
}

}  // namespace palimpsest
