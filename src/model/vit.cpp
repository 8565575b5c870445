#include "palimpsest/model/vit.h"

#include <ATen/ATen.h>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/model/frozen_product.h"
#include "palimpsest/model/host_kernels.h"
#include "palimpsest/model/layers.h"

namespace palimpsest {
namespace {

// Position embeddings [grid * grid, width] for another number of patches: bicubic, antialiased, as
// timm does.
at::Tensor resized(const at::Tensor& positions, std::int64_t grid, std::int64_t side) {
  if (grid == side) return positions;
  const std::int64_t width = positions.size(1);
  const at::Tensor image = positions.t().reshape({1, width, grid, grid});
  return at::_upsample_bicubic2d_aa(image, {side, side}, /*align_corners=*/false)
      .view({width, side * side})
      .t()
      .contiguous();
}

at::Tensor scaled(const at::Tensor& x, const at::Tensor& scale) {
  return scale.defined() ? x * scale : x;
}

// In the precision of x.
at::Tensor normed(const LayerNorm& norm, const at::Tensor& x) {
  return norm.weight.defined() ? norm(x).to(x.scalar_type()) : x;
}

}  // namespace

BlockShape block_shape(const VitConfig& config) {
  return block_shape(EncoderShape{
      .blocks = config.depth,
      .width = config.width,
      .fc1_out = config.fc1_out(),
      .fc2_in = config.mlp,
      .projection_bias = config.projection_bias,
      .prefix = "blocks.",
      .names = {"attn.query", "attn.key", "attn.value", "attn.output", "mlp.fc1", "mlp.fc2"}});
}

Vit::Vit(const VitConfig& config, const BackboneChoice& choice, const TensorLoader& load,
         at::Device device)
    : Backbone(BlockLayers(block_shape(config), choice.targets, choice.precision, load),
               config.width, choice, device),
      config_(config),
      side_(choice.image_size / config.patch),
      mean_pooling_(choice.mean_pooling) {
  if (choice.image_size % config.patch != 0 || side_ == 0) {
    throw UsageError(concat("image-transform: size ", choice.image_size,
                            ": expected a multiple of the patch, ", config.patch, " pixels"));
  }
  if (!mean_pooling_ && !config.class_token) {
    throw UsageError("pooling class: the backbone has no class token; use --pooling mean");
  }
  const std::int64_t width = config.width;
  const auto norm = [&](const std::string& name, std::int64_t size) {
    return LayerNorm{load(name + ".weight", {size}), load(name + ".bias", {size}),
                     config.layer_norm_epsilon};
  };
  const auto block_norm = [&](const std::string& name) {
    return norm(name, width).in(choice.precision);
  };
  patch_weight_ = load("patches.weight", {width, 3, config.patch, config.patch})
                      .flatten(1)
                      .to(choice.precision);
  patch_bias_ = load("patches.bias", {width}).to(choice.precision);

  const std::int64_t patches = config.grid * config.grid;
  const at::Tensor positions = load("positions", {config.placed + patches, width});
  const at::Tensor placed =
      resized(positions.narrow(0, config.placed, patches), config.grid, side_);
  at::Tensor prefix = at::zeros({config.prefix(), width}, positions.options());
  if (config.class_token) prefix.select(0, 0).copy_(load("class_token", {width}));
  if (config.registers > 0) {
    prefix.narrow(0, config.prefix() - config.registers, config.registers)
        .copy_(load("registers", {config.registers, width}));
  }
  prefix.narrow(0, 0, config.placed).add_(positions.narrow(0, 0, config.placed));
  positions_ = placed.to(choice.precision);
  prefix_ = prefix.to(choice.precision);

  for (std::int64_t b = 0; b < config.depth; ++b) {
    const std::string block = concat("blocks.", b, ".");
    Frozen frozen{.norm_attention = block_norm(block + "norm1"),
                  .norm_mlp = block_norm(block + "norm2")};
    if (config.query_key_norm) {
      frozen.query_norm = norm(block + "attn.query_norm", width / config.heads);
      frozen.key_norm = norm(block + "attn.key_norm", width / config.heads);
    }
    if (config.layer_scale) {
      frozen.scale_attention = load(block + "scale1", {width}).to(choice.precision);
      frozen.scale_mlp = load(block + "scale2", {width}).to(choice.precision);
    }
    frozen_.push_back(std::move(frozen));
  }
  norm_ = norm("norm", width);
}

at::Tensor Vit::embed(const Images& images) const {
  const std::int64_t samples = images.size(0), patch = config_.patch;
  const at::Tensor patches = images.view({samples, 3, side_, patch, side_, patch})
                                 .permute({0, 2, 4, 1, 3, 5})
                                 .reshape({samples * side_ * side_, 3 * patch * patch});
  const at::Tensor embedded = frozen_product(patches.to(precision()), patch_weight_, patch_bias_)
                                  .view({samples, side_ * side_, config_.width})
                                  .add(positions_);
  return at::cat({prefix_.expand({samples, -1, -1}), embedded}, 1);
}

at::Tensor Vit::attention(const at::Tensor& qkv, std::int64_t samples, std::int64_t queries,
                          const Frozen& frozen) const {
  if (has_host_kernels(qkv) && !frozen.query_norm.weight.defined()) {
    const std::vector<std::int64_t> lengths(static_cast<std::size_t>(samples), tokens_per_image());
    return sample_attention(qkv, lengths, config_.heads, queries);
  }
  const auto [query, key, value] = attention_heads(qkv, samples, config_.heads);
  const at::Tensor asking = queries == 0 ? query : query.narrow(2, 0, queries);
  return at::scaled_dot_product_attention(normed(frozen.query_norm, asking),
                                          normed(frozen.key_norm, key), value)
      .transpose(1, 2)
      .reshape({-1, config_.width});
}

at::Tensor Vit::mlp(const at::Tensor& x, const BlockLayers::Block& block,
                    const AdapterOptions& use) const {
  const at::Tensor middle = block[kFc1].forward(x, use);
  if (!config_.swiglu) return block[kFc2].forward(erf_gelu(middle), use);
  const std::vector<at::Tensor> halves = middle.chunk(2, 1);
  return block[kFc2].forward(at::silu(halves[0]) * halves[1], use);
}

at::Tensor Vit::features(const Images& images, const AdapterOptions& use) const {
  const std::int64_t samples = images.size(0);
  const at::Tensor embedded = embed(images).view({-1, config_.width});  // [samples * tokens, width]
  const auto pass = [this, samples, use](std::size_t b, const at::Tensor& x) {
    const BlockLayers::Block& layers = block(b);
    const Frozen& frozen = frozen_[b];
    // Of the last block's result only the class tokens are looked at.
    const bool class_only = !mean_pooling_ && b + 1 == frozen_.size();
    const at::Tensor attended = attention(layers[kQkv].forward(frozen.norm_attention(x), use),
                                          samples, class_only ? 1 : 0, frozen);
    const at::Tensor before =
        class_only ? x.view({samples, tokens_per_image(), config_.width}).select(1, 0) : x;
    const at::Tensor y =
        before + scaled(layers[kOutput].forward(attended, use), frozen.scale_attention);
    return y + scaled(mlp(frozen.norm_mlp(y), layers, use), frozen.scale_mlp);
  };
  const at::Tensor x = through_blocks(embedded, use, pass);
  if (!mean_pooling_) return norm_(x);
  const at::Tensor patches = x.view({samples, tokens_per_image(), config_.width})
                                 .narrow(1, config_.prefix(), positions_.size(0))
                                 .to(at::kFloat);
  return config_.norm_after_pooling ? norm_(patches.mean(1)) : norm_(patches).mean(1);
}

at::Tensor Vit::features(const Batch& batch, const AdapterOptions& use) const {
  return features(std::get<Images>(batch.samples), by_rows(use, batch));
}

std::vector<std::int64_t> Vit::tokens(const Batch& batch) const {
  return std::vector<std::int64_t>(static_cast<std::size_t>(batch.size()), tokens_per_image());
}

}  // namespace palimpsest
