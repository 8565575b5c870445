#pragma once
// The shape of a decoder of the Llama family: Llama, Mistral, Qwen2, Qwen3, SmolLM2, TinyLlama.
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace palimpsest {

// Rotary position embeddings (Su et al. 2021): coordinates i and i + head_size / 2 of a query or
// key at position p are turned by the angle p * frequencies[i], and multiplied by `scale`.
struct RotaryEmbedding {
  std::vector<float> frequencies = {};  // [head_size / 2]
  double scale = 1;                     // of the cosine and sine, above 1 with YaRN
  bool operator==(const RotaryEmbedding&) const = default;
};

struct LlamaConfig {
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t key_value_heads = 0;  // each is shared by heads / key_value_heads heads
  std::int64_t head_size = 0;
  std::int64_t intermediate = 0;  // of the MLP, silu(gate) * up
  std::int64_t vocabulary = 0;
  std::int64_t positions = 0;  // the longest sequence
  double norm_epsilon = 1e-6;
  bool query_bias = false;   // of query, key and value
  bool output_bias = false;  // of the attention's output
  bool mlp_bias = false;
  bool query_key_norm = false;  // Qwen3: a norm over each head
  bool tied = false;            // the output layer is the embedding
  RotaryEmbedding rotary = {};
  std::int64_t window = 0;             // a token sees itself and window - 1 before it; 0: all
  std::vector<bool> is_windowed = {};  // by layer

  bool operator==(const LlamaConfig&) const = default;
};

// Values of model_type, with a blank between two.
inline constexpr std::string_view kLlamaFamilies = "llama mistral qwen2 qwen3";
// Fields that other families don't have, or may not set.
inline constexpr std::string_view kLlamaFields =
    "is_decoder num_key_value_heads attention_bias mlp_bias rms_norm_eps rope_theta rope_scaling "
    "rope_parameters sliding_window use_sliding_window max_window_layers layer_types "
    "attention_dropout pretraining_tp rope_interleaved is_llama_config";

// `path`: of config.json. Throws InputError for another family, a field that would change the
// computation in a way that isn't supported, and for impossible sizes.
LlamaConfig read_llama_config(const std::filesystem::path& path);

}  // namespace palimpsest
