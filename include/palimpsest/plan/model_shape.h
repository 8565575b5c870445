#pragma once
// The sizes of a backbone that costs follow from, whatever its family.
#include <cstdint>
#include <string>

#include "palimpsest/format/backbone_config.h"

namespace palimpsest {

struct ModelShape {
  bool texts = false;  // else images
  std::int64_t blocks = 0, width = 0, heads = 0;
  std::int64_t fc1_out = 0, fc2_in = 0;  // of the MLP; they differ where it is gated
  std::int64_t attention_weights = 0;    // of the four matrices of a block's attention
  std::int64_t block_vectors = 0;        // parameters of a block besides its matrices
  std::int64_t outside = 0;              // parameters outside of the blocks, without any head
  std::int64_t embedding = 0;   // of these, what has the precision of the matrices: a decoder's
  std::int64_t output = 0;      // of a decoder's output layer
  bool tied = false;            // this is the embedding
  bool attention_bias = false;  // on the scores of the attention, by distance

  // Weights of the matrices that every token passes through.
  std::int64_t matrix_weights() const {
    return blocks * (attention_weights + width * (fc1_out + fc2_in));
  }
  std::int64_t parameters() const { return outside + blocks * block_vectors + matrix_weights(); }
  // Where the model predicts tokens, what it has besides.
  std::int64_t output_parameters() const { return tied ? 0 : output; }
};

// Without pooler, mask token and classifier.
ModelShape model_shape(const BackboneConfig& config);

// Tokens of an image of `side` x `side` pixels inside the blocks.
std::int64_t image_tokens(const VitConfig& config, std::int64_t side);

// For planning without weights: the config.json of a decoder or a text encoder, or a folder with
// one; else a published shape, "vit-b/16", "bert-base", ... Throws UsageError with the known names,
// and what reading config.json throws.
BackboneConfig shape_without_weights(const std::string& shape);

}  // namespace palimpsest
