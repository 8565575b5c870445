#pragma once
// The shape of a backbone, from its config.json and the shapes of its tensors. A field that would
// change the computation, and isn't understood, is refused by name.
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>

#include "palimpsest/format/llama_config.h"
#include "palimpsest/format/pretrained_weights.h"

namespace palimpsest {

// Of a BERT, RoBERTa or MPNet encoder.
struct BertConfig {
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t intermediate = 0;
  std::int64_t vocabulary = 0;
  std::int64_t positions = 0;          // the longest sequence
  std::int64_t first_position = 0;     // row of the position embeddings that a text begins at
  std::int64_t type_vocabulary = 2;    // 0: tokens have no types
  std::int64_t attention_buckets = 0;  // MPNet: distances with their own bias on the attention
  double layer_norm_epsilon = 1e-12;
  std::string hidden_act;  // "gelu": the exact one, with erf

  bool operator==(const BertConfig&) const = default;
};

// Of a vision transformer.
struct VitConfig {
  std::int64_t width = 0;
  std::int64_t depth = 0;
  std::int64_t heads = 0;
  std::int64_t mlp = 0;    // of the MLP's middle; with swiglu: of each of its two halves
  std::int64_t patch = 0;  // side of a patch, pixels
  std::int64_t grid = 0;   // pretrained position embeddings: grid x grid patches
  bool class_token = true;
  std::int64_t registers = 0;
  std::int64_t placed = 0;      // tokens before the patches that have position embeddings
  bool projection_bias = true;  // of query, key and value
  bool layer_scale = false;
  bool query_key_norm = false;
  bool swiglu = false;              // silu(first half) * second half, in place of gelu
  bool norm_after_pooling = false;  // timm's fc_norm; else the last norm comes before the pooling
  bool mean_pooling =
      false;  // as pretrained: features are the mean over patches, not the class token
  double layer_norm_epsilon = 1e-6;

  // How images are to be prepared, as the checkpoint says.
  std::array<double, 3> mean{0.5, 0.5, 0.5}, deviation{0.5, 0.5, 0.5};  // of pixels in [0, 1]
  std::string interpolation = "bicubic";
  double crop_share = 0.875;  // side of the centre crop over the short side of the image

  // Rows of the MLP's first matrix: with swiglu, both halves.
  std::int64_t fc1_out() const { return swiglu ? 2 * mlp : mlp; }

  // Tokens before the patches.
  std::int64_t prefix() const { return (class_token ? 1 : 0) + registers; }

  bool operator==(const VitConfig&) const = default;
};

using BackboneConfig = std::variant<BertConfig, VitConfig, LlamaConfig>;

bool takes_texts(const BackboneConfig& config);

// Of a backbone that takes texts: token ids are below `vocabulary`, and texts have at most
// `positions` tokens.
struct TextLimits {
  std::int64_t vocabulary, positions;
};
TextLimits text_limits(const BackboneConfig& config);

// From config.json in `folder`, as transformers or timm write it. Throws InputError for a family or
// an option that isn't supported, a field that says otherwise than the tensors, and for impossible
// sizes. Fields that aren't known are left aside: remark_on_config() names them.
BackboneConfig read_backbone_config(const std::filesystem::path& folder,
                                    const PretrainedWeights& weights);

// `path`: of config.json. Throws InputError: another model_type than "bert", "mpnet" and the
// RoBERTas, another activation than "gelu", other than absolute positions, a missing or impossible
// size, a hidden size that the heads don't divide.
BertConfig read_bert_config(const std::filesystem::path& path);

// `path`: of config.json. Of a model that takes texts, by that file alone. Throws InputError as
// read_backbone_config().
BackboneConfig read_text_config(const std::filesystem::path& path);

// Of a vision transformer; what config.json doesn't say is read off the shapes of the tensors.
// preprocessor_config.json is read where there is one (transformers).
VitConfig read_vit_config(const std::filesystem::path& folder, const PretrainedWeights& weights);

// The fields of config.json that are set and not known, in one sentence; "" where there are none.
std::string remark_on_config(const std::filesystem::path& folder);

// How many tokens the folder's tokenizer.json knows, the added ones too; nullopt where there is no
// such file, or none that says.
std::optional<std::int64_t> tokenizer_size(const std::filesystem::path& folder);

// All of it as one line: equal lines, equal models (except for the weights).
std::string describe(const BackboneConfig& config);

}  // namespace palimpsest
