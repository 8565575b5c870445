#pragma once
// The shape of a vision transformer, from its config.json and the shapes of its tensors. A
// field that would change the computation, and isn't understood, is refused by name.
#include <array>
#include <cstdint>
#include <string>

namespace palimpsest {

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

}  // namespace palimpsest
