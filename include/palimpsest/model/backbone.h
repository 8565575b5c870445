#pragma once
// A pretrained transformer as training sees it: samples in, one feature vector each out, through
// frozen weights that an adapter changes.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/data/batch.h"
#include "palimpsest/format/backbone_config.h"
#include "palimpsest/format/pretrained_weights.h"
#include "palimpsest/model/block_layers.h"
#include "palimpsest/model/decoding_cache.h"

namespace palimpsest {

// What the user chooses about a backbone.
struct BackboneChoice {
  std::vector<std::string> targets;  // adapted matrices of every block
  std::int64_t image_size = 0;       // vision: side of the images, a multiple of the patch
  bool mean_pooling = false;         // else the class token, or a decoder's last token
  // Of the frozen matrices, their products, residual sums and the norms of the blocks: kFloat or
  // kBFloat16. The norms of the embeddings, the norm after the last block and features are float32.
  at::ScalarType precision = at::kFloat;
  bool activation_checkpointing = false;
  bool predicts_tokens = false;  // with its output layer, which decoders have
};

class Backbone {
 public:
  virtual ~Backbone() = default;

  const AdaptedLayout& layout() const { return layers_.layout(); }
  const std::vector<LoraGroup>& lora_groups() const { return layers_.groups(); }
  // Whether set_adapter() must come before a pass with an adapter: in bf16 it is a separate
  // branch.
  bool merges_adapter() const { return precision_ == at::kFloat; }
  std::int64_t feature_size() const { return feature_size_; }
  at::Device device() const { return device_; }

  // Whose weights the next features() see.
  BlockLayers& layers() { return layers_; }

  // [samples, feature_size()], not normalised. Of sequences [predictions, feature_size()]: the last
  // hidden state of each of Batch::rows.
  virtual at::Tensor features(const Batch& batch, const AdapterOptions& use = {}) const = 0;

  // Of a backbone that predicts tokens: [vocabulary, feature_size()], in the precision of the
  // products. Undefined for another.
  const at::Tensor& output_layer() const { return output_layer_; }

  // Decoding, of a backbone that predicts tokens; others throw Error. Texts are continued by one
  // token each at a time. Both return [texts, feature_size()]: of each text the state that predicts
  // its next token. begin: of the prompts of a batch, whose keys and values fill the cache. tokens:
  // [texts] int64, what each text is continued by.
  virtual at::Tensor begin_decoding(const Batch& prompts, DecodingCache& cache) const;
  virtual at::Tensor decode(const at::Tensor& tokens, DecodingCache& cache) const;

  // Tokens of each sample inside the blocks: how the rows that a tap sees belong to samples.
  virtual std::vector<std::int64_t> tokens(const Batch& batch) const = 0;

 protected:
  Backbone(BlockLayers layers, std::int64_t feature_size, const BackboneChoice& choice,
           at::Device device)
      : layers_(std::move(layers)),
        feature_size_(feature_size),
        precision_(choice.precision),
        recompute_(choice.activation_checkpointing),
        device_(device) {}

  at::ScalarType precision() const { return precision_; }
  void set_output_layer(at::Tensor layer) { output_layer_ = std::move(layer); }

  // With rows_c, where every sample has its own c.
  AdapterOptions by_rows(AdapterOptions use, const Batch& batch) const;

  // `block(b, x)` for every block b, each on the output of the one before. A copy of `block` may be
  // called once more in the backward pass.
  using BlockFunction = std::function<at::Tensor(std::size_t b, const at::Tensor& x)>;
  at::Tensor through_blocks(at::Tensor x, const AdapterOptions& use,
                            const BlockFunction& block) const;

  const BlockLayers::Block& block(std::size_t b) const { return layers_.blocks()[b]; }

 private:
  BlockLayers layers_;
  std::int64_t feature_size_;
  at::ScalarType precision_;
  bool recompute_;
  at::Device device_;
  at::Tensor output_layer_;
};

// The names and sizes of the linear layers of a backbone's blocks.
BlockShape block_shape(const BackboneConfig& config);

// Throws InputError for a missing, surplus or misshapen tensor. `weights` must outlive the model,
// which may have views of it.
std::unique_ptr<Backbone> make_backbone(const PretrainedWeights& weights,
                                        const BackboneConfig& config, const BackboneChoice& choice,
                                        at::Device device);

}  // namespace palimpsest
