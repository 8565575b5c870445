#pragma once
// A vision transformer (ViT, DeiT, DINOv2) with frozen weights and adapted linear layers; an
// image's features are its class token, or the mean over its patches, after the last norm.
#include <ATen/core/Tensor.h>

#include <vector>

#include "palimpsest/model/backbone.h"
#include "palimpsest/model/layers.h"

namespace palimpsest {

BlockShape block_shape(const VitConfig& config);

class Vit : public Backbone {
 public:
  // Throws UsageError when the image size is no multiple of the patch, or a class token is
  // requested that the checkpoint doesn't have.
  Vit(const VitConfig& config, const BackboneChoice& choice, const TensorLoader& load,
      at::Device device);

  at::Tensor features(const Batch& batch, const AdapterOptions& use) const override;
  std::vector<std::int64_t> tokens(const Batch& batch) const override;

  // [samples, feature_size()] of images [samples, 3, side, side].
  at::Tensor features(const Images& images, const AdapterOptions& use) const;

 private:
  struct Frozen {  // of a block
    LayerNorm norm_attention, norm_mlp;
    LayerNorm query_norm = {}, key_norm = {};  // undefined where the checkpoint has none
    at::Tensor scale_attention = {}, scale_mlp = {};
  };

  at::Tensor embed(const Images& images) const;  // [samples, tokens, width]
  // Of the first `queries` tokens of an image, 0: of all; [samples * queries, width].
  at::Tensor attention(const at::Tensor& qkv, std::int64_t samples, std::int64_t queries,
                       const Frozen& frozen) const;
  at::Tensor mlp(const at::Tensor& x, const BlockLayers::Block& block,
                 const AdapterOptions& use) const;
  std::int64_t tokens_per_image() const { return prefix_.size(0) + positions_.size(0); }

  VitConfig config_;
  std::int64_t side_;  // of an image, in patches
  bool mean_pooling_;
  at::Tensor patch_weight_, patch_bias_;  // [width, 3 * patch * patch], [width]
  at::Tensor prefix_;                     // class token and registers, with their positions
  at::Tensor positions_;                  // of the patches, for the size of the images
  std::vector<Frozen> frozen_;
  LayerNorm norm_;
};

}  // namespace palimpsest
