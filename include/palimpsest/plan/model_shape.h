#pragma once
// The sizes of a backbone that costs follow from, whatever its family.
#include <cstdint>
#include <string_view>

#include "palimpsest/format/backbone_config.h"

namespace palimpsest {

struct ModelShape {
  bool texts = false;  // else images
  std::int64_t blocks = 0, width = 0, heads = 0;
  std::int64_t fc1_out = 0, fc2_in = 0;  // of the MLP; they differ where it is gated
  std::int64_t attention_weights = 0;    // of the four matrices of a block's attention
  std::int64_t block_vectors = 0;        // parameters of a block besides its matrices
  std::int64_t outside = 0;              // parameters outside of the blocks, without any head
  bool attention_bias = false;           // on the scores of the attention, by distance

  // Weights of the matrices that every token passes through.
  std::int64_t matrix_weights() const {
    return blocks * (attention_weights + width * (fc1_out + fc2_in));
  }
  std::int64_t parameters() const { return outside + blocks * block_vectors + matrix_weights(); }
};

// Without pooler, mask token and classifier.
ModelShape model_shape(const BackboneConfig& config);

// Tokens of an image of `side` x `side` pixels inside the blocks.
std::int64_t image_tokens(const VitConfig& config, std::int64_t side);

// A published shape, for planning without the model's files: "vit-b/16", "bert-base", ... Throws
// UsageError with the known names.
BackboneConfig published_shape(std::string_view name);

}  // namespace palimpsest
