#pragma once
// A pretrained transformer as training sees it: samples in, one feature vector each out, through
// frozen weights that an adapter changes.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/data/batch.h"
#include "palimpsest/format/backbone_config.h"
#include "palimpsest/format/checkpoint.h"
#include "palimpsest/model/block_layers.h"

namespace palimpsest {

class Backbone {
 public:
  virtual ~Backbone() = default;

  const AdaptedLayout& layout() const { return layers_.layout(); }
  const std::vector<LoraGroup>& lora_groups() const { return layers_.groups(); }
  std::int64_t feature_size() const { return feature_size_; }
  at::Device device() const { return device_; }

  // Adapted weights = pretrained + difference (flat adapted vector). No adapter is active
  // afterwards.
  void set_difference(std::span<const float> difference) { layers_.set_difference(difference); }

  // Effective weights = adapted weights + c s B A: the model that the next features() with this
  // adapter see.
  void set_adapter(const Lora& lora, double c) { layers_.set_adapter(lora, c); }

  // [samples, feature_size()], not normalised.
  virtual at::Tensor features(const Batch& batch, const AdapterUse& use = {}) const = 0;

  // Tokens of each sample inside the blocks: how the rows that a tap sees belong to samples.
  virtual std::vector<std::int64_t> tokens(const Batch& batch) const = 0;

 protected:
  Backbone(BlockLayers layers, std::int64_t feature_size, at::Device device)
      : layers_(std::move(layers)), feature_size_(feature_size), device_(device) {}

  const std::vector<BlockLayers::Block>& blocks() const { return layers_.blocks(); }

 private:
  BlockLayers layers_;
  std::int64_t feature_size_;
  at::Device device_;
};

// What the user chooses about a backbone.
struct BackboneChoice {
  std::vector<std::string> targets;  // adapted matrices of every block
  std::int64_t image_size = 0;       // vision: side of the images, a multiple of the patch
  bool mean_pooling = false;         // vision
};

// The names and sizes of the linear layers of a backbone's blocks.
BlockShape block_shape(const BackboneConfig& config);

// Throws InputError for a missing, surplus or misshapen tensor.
std::unique_ptr<Backbone> make_backbone(const Checkpoint& weights, const BackboneConfig& config,
                                        const BackboneChoice& choice, at::Device device);

}  // namespace palimpsest
