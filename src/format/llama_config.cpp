#include "palimpsest/format/llama_config.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "json_fields.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr RefusedField kRefusedOfLlama[] = {
    {"num_experts", "a mixture of experts; only dense models are computed by Palimpsest"},
    {"num_local_experts", "a mixture of experts; only dense models are computed by Palimpsest"},
    {"partial_rotary_factor", "only positions that turn all of a head", "1.0"},
    {"is_encoder_decoder", "an encoder with a decoder; this is a decoder alone"},
    {"add_cross_attention", "cross-attention is not computed by Palimpsest"},
    {"logit_scale", "scaled logits are not computed by Palimpsest"},
    {"attn_logit_softcapping", "capped attention is not computed by Palimpsest"},
};

// The settings of a kind of rotary embedding.
struct RotarySettings {
  JsonObject json;
  double theta;
  std::int64_t head_size, positions;

  double number_or(const char* field, double otherwise) const {
    return json.has(field) && !json.json.at(field).is_null() ? json.number(field) : otherwise;
  }
  double at_least(const char* field, double least) const {
    const double value = json.number(field);
    if (!(value >= least)) json.refuse(field, concat("a number of at least ", least));
    return value;
  }
  // Of the sequences that the model was pretrained on, before they were made longer.
  double original_positions() const {
    return number_or("original_max_position_embeddings", static_cast<double>(positions));
  }
};

std::vector<double> plain_frequencies(const RotarySettings& settings) {
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < settings.head_size / 2; ++i) {
    const double share = 2.0 * static_cast<double>(i) / static_cast<double>(settings.head_size);
    frequencies.push_back(std::pow(settings.theta, -share));
  }
  return frequencies;
}

// Llama 3.1: low frequencies are divided by the factor, high ones stay, and between them it goes
// over smoothly.
void scale_as_llama3(const RotarySettings& settings, std::vector<double>& frequencies) {
  const double factor = settings.at_least("factor", 1),
               low = settings.at_least("low_freq_factor", 0),
               high = settings.at_least("high_freq_factor", 0),
               original = settings.original_positions();
  if (!(high > low)) settings.json.refuse("high_freq_factor", "more than low_freq_factor");
  for (double& frequency : frequencies) {
    const double turns = original * frequency / (2 * std::numbers::pi);
    const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    frequency *= kept + (1 - kept) / factor;
  }
}

// YaRN (Peng et al. 2023): as above, along the coordinates between those that turn beta_fast and
// beta_slow times over the original positions; returns the scale of cosine and sine.
double scale_as_yarn(const RotarySettings& settings, std::vector<double>& frequencies) {
  const double factor = settings.at_least("factor", 1), size = settings.head_size,
               original = settings.original_positions();
  const auto coordinate = [&](double turns) {
    return size * std::log(original / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(settings.theta));
  };
  double first = coordinate(settings.number_or("beta_fast", 32)),
         last = coordinate(settings.number_or("beta_slow", 1));
  if (settings.json.json.value("truncate", true)) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, size - 1);
  const double width = first == last ? 0.001 : last - first;
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double divided = std::clamp((static_cast<double>(i) - first) / width, 0.0, 1.0);
    frequencies[i] *= 1 - divided + divided / factor;
  }
  return settings.number_or("attention_factor", 0.1 * std::log(factor) + 1);
}

RotaryEmbedding make_rotary(const RotarySettings& settings) {
  const JsonObject& json = settings.json;
  const char* const field = json.has("rope_type") ? "rope_type" : "type";
  const std::string type = json.has(field) ? json.text(field) : "default";
  std::vector<double> frequencies = plain_frequencies(settings);
  RotaryEmbedding rotary;
  if (type == "linear") {
    const double factor = settings.at_least("factor", 1);
    for (double& frequency : frequencies) frequency /= factor;
  } else if (type == "llama3") {
    scale_as_llama3(settings, frequencies);
  } else if (type == "yarn") {
    for (const char* const other : {"mscale", "mscale_all_dim"}) {
      if (is_set(json.json, other)) json.refuse_value(other, "only YaRN's own scale is computed");
    }
    rotary.scale = scale_as_yarn(settings, frequencies);
  } else if (type != "default") {
    json.refuse(field, "default, linear, llama3 or yarn");
  }
  rotary.frequencies.assign(frequencies.begin(), frequencies.end());
  return rotary;
}

// transformers 5 has all of it in rope_parameters, earlier versions in rope_theta and rope_scaling.
RotaryEmbedding read_rotary(const JsonObject& top, const LlamaConfig& config) {
  static const nlohmann::json none = nlohmann::json::object();
  const auto object = [&](const char* field) -> const nlohmann::json& {
    return is_set(top.json, field) ? top.object(field) : none;
  };
  const bool is_new = is_set(top.json, "rope_parameters");
  const char* const field = is_new ? "rope_parameters" : "rope_scaling";
  RotarySettings settings{.json = {object(field), top.path, field},
                          .theta = 10000,
                          .head_size = config.head_size,
                          .positions = config.positions};
  const JsonObject& says_theta = settings.json.has("rope_theta") ? settings.json : top;
  if (says_theta.has("rope_theta")) settings.theta = says_theta.number("rope_theta");
  if (!(settings.theta > 1)) says_theta.refuse("rope_theta", "a number above 1");
  return make_rotary(settings);
}

// Which layers see a window alone.
void read_windows(const JsonObject& top, std::string_view family, LlamaConfig& config) {
  config.is_windowed.assign(static_cast<std::size_t>(config.layers), false);
  const bool is_qwen = family.starts_with("qwen");
  const bool is_used = is_qwen ? is_set(top.json, "use_sliding_window") : family == "mistral";
  if (!is_used || !is_set(top.json, "sliding_window")) return;
  config.window = top.integer("sliding_window", 1);
  if (is_set(top.json, "layer_types")) {
    const nlohmann::json& types = top.array("layer_types");
    if (std::ssize(types) != config.layers) top.refuse("layer_types", "a type for each layer");
    for (std::size_t layer = 0; layer < types.size(); ++layer) {
      if (types[layer] != "sliding_attention" && types[layer] != "full_attention")
        top.refuse("layer_types", "sliding_attention and full_attention");
      config.is_windowed[layer] = types[layer] == "sliding_attention";
    }
    return;
  }
  const std::int64_t first =
      is_qwen && top.has("max_window_layers") ? top.integer("max_window_layers", 0) : 0;
  for (std::int64_t layer = first; layer < config.layers; ++layer)
    config.is_windowed[static_cast<std::size_t>(layer)] = true;
}

}  // namespace

LlamaConfig read_llama_config(const std::filesystem::path& path) {
  const nlohmann::json json = read_json_object(path);
  const JsonObject top{json, path};
  const std::string family = top.text("model_type");
  if (!lists(kLlamaFamilies, family)) top.refuse("model_type", kLlamaFamilies);
  check_fields(top, kRefusedOfLlama, "", "");
  const auto flag = [&](const char* field) { return is_set(json, field); };
  const auto integer_or = [&](const char* field, std::int64_t otherwise) {
    return is_set(json, field) ? top.integer(field, 1) : otherwise;
  };
  LlamaConfig config;
  config.hidden = top.integer("hidden_size", 1);
  config.layers = top.integer("num_hidden_layers", 1);
  config.heads = top.integer("num_attention_heads", 1);
  config.key_value_heads = integer_or("num_key_value_heads", config.heads);
  if (config.heads % config.key_value_heads != 0)
    top.refuse("num_key_value_heads", concat("a number that divides the ", config.heads, " heads"));
  if (!flag("head_dim") && config.hidden % config.heads != 0)
    top.refuse("hidden_size", concat("a multiple of the ", config.heads, " heads"));
  config.head_size = integer_or("head_dim", config.hidden / config.heads);
  if (config.head_size % 2 != 0) top.refuse("head_dim", "an even number");
  config.intermediate = top.integer("intermediate_size", 1);
  config.vocabulary = top.integer("vocab_size", 1);
  config.positions = top.integer("max_position_embeddings", 1);
  if (top.has("rms_norm_eps")) config.norm_epsilon = top.number("rms_norm_eps");
  if (!(config.norm_epsilon > 0)) top.refuse("rms_norm_eps", "a number above 0");
  if (top.text("hidden_act") != "silu") top.refuse("hidden_act", "\"silu\"");
  config.output_bias = (family == "llama" || family == "qwen3") && flag("attention_bias");
  config.query_bias = family == "qwen2" || config.output_bias;
  config.mlp_bias = family == "llama" && flag("mlp_bias");
  config.query_key_norm = family == "qwen3";
  config.tied = flag("tie_word_embeddings");
  config.rotary = read_rotary(top, config);
  read_windows(top, family, config);
  return config;
}

}  // namespace palimpsest
