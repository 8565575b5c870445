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
    {"original_max_position_embeddings", "it belongs in rope_scaling or rope_parameters"},
    {"rope_interleaved", "interleaved pairs of rotary positions are not computed by Palimpsest"},
    {"logit_scale", "scaled logits are not computed by Palimpsest"},
    {"attn_logit_softcapping", "capped attention is not computed by Palimpsest"},
};

constexpr std::string_view kRotaryFields =
    "rope_type type rope_theta factor low_freq_factor high_freq_factor beta_fast beta_slow "
    "attention_factor original_max_position_embeddings truncate mscale mscale_all_dim";

// Larger sizes are no model's, and would be allocated before a tensor contradicts them.
constexpr std::int64_t kMostLayers = 10000, kLargestSize = std::int64_t{1} << 24;

// The settings of a kind of rotary embedding.
struct RotarySettings {
  JsonObject json;
  double theta;
  std::int64_t head_size, positions;

  // A number above 0.
  double number_or(const char* field, double otherwise) const {
    if (!is_set(json.json, field)) return otherwise;
    const double value = json.number(field);
    if (!(value > 0)) json.refuse(field, "a number above 0");
    return value;
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

// Llama 3.1: low frequencies are divided by the factor, high ones stay, and those between them are
// divided by something between 1 and the factor.
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

// YaRN (Peng et al. 2023): a frequency that turns more than beta_fast times over the original
// positions stays, one that turns less than beta_slow times is divided by the factor, and those
// between change from one to the other in equal steps. Returns the scale of cosine and sine.
double scale_as_yarn(const RotarySettings& settings, std::vector<double>& frequencies) {
  const double factor = settings.at_least("factor", 1), size = settings.head_size,
               original = settings.original_positions();
  const auto coordinate = [&](double turns) {
    return size * std::log(original / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(settings.theta));
  };
  double first = coordinate(settings.number_or("beta_fast", 32)),
         last = coordinate(settings.number_or("beta_slow", 1));
  if (!settings.json.has("truncate") || is_set(settings.json.json, "truncate")) {
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
  const auto is_finite = [](float frequency) { return std::isfinite(frequency); };
  if (!std::ranges::all_of(rotary.frequencies, is_finite) || !std::isfinite(rotary.scale))
    json.refuse(field, "settings with finite frequencies");
  return rotary;
}

// transformers 5 has all of it in rope_parameters, earlier versions in rope_theta and rope_scaling.
RotaryEmbedding read_rotary(const JsonObject& top, const LlamaConfig& config) {
  static const nlohmann::json none = nlohmann::json::object();
  const auto object = [&](const char* field) -> const nlohmann::json& {
    return is_set(top.json, field) ? top.object(field) : none;
  };
  const bool is_new = is_set(top.json, "rope_parameters");
  if (is_new && is_set(top.json, "rope_scaling"))
    top.refuse("rope_scaling", "nothing beside rope_parameters");
  const char* const field = is_new ? "rope_parameters" : "rope_scaling";
  RotarySettings settings{.json = {object(field), top.path, field},
                          .theta = 10000,
                          .head_size = config.head_size,
                          .positions = config.positions};
  check_fields(settings.json, {}, kRotaryFields, "a setting of positions that isn't computed");
  const JsonObject& holder = is_set(settings.json.json, "rope_theta") ? settings.json : top;
  if (is_set(holder.json, "rope_theta")) settings.theta = holder.number("rope_theta");
  if (!(settings.theta > 1)) holder.refuse("rope_theta", "a number above 1");
  return make_rotary(settings);
}

// Which layers have a window.
void read_windows(const JsonObject& top, std::string_view family, LlamaConfig& config) {
  config.is_windowed.assign(static_cast<std::size_t>(config.layers), false);
  const bool is_qwen = family.starts_with("qwen");
  const bool is_used = is_qwen ? is_set(top.json, "use_sliding_window") : family == "mistral";
  const bool is_none = top.has("sliding_window") && !is_set(top.json, "sliding_window");
  if (!is_used || is_none) return;
  // What isn't given is as in transformers.
  config.window = top.has("sliding_window") ? top.integer("sliding_window", 1) : 4096;
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
  std::int64_t first = is_qwen ? 28 : 0;
  if (is_qwen && top.has("max_window_layers")) first = top.integer("max_window_layers", 0);
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
  const auto size = [&](const char* field, std::int64_t most = kLargestSize) {
    const std::int64_t value = top.integer(field, 1);
    if (value > most) top.refuse(field, concat("at most ", most));
    return value;
  };
  const auto size_or = [&](const char* field, std::int64_t otherwise) {
    return top.has(field) && !json.at(field).is_null() ? size(field) : otherwise;
  };
  LlamaConfig config;
  config.hidden = size("hidden_size");
  config.layers = size("num_hidden_layers", kMostLayers);
  config.heads = size("num_attention_heads");
  config.key_value_heads = size_or("num_key_value_heads", config.heads);
  if (config.heads % config.key_value_heads != 0)
    top.refuse("num_key_value_heads", concat("a number that divides the ", config.heads, " heads"));
  const bool is_qwen3 = family == "qwen3";
  if (!flag("head_dim") && !is_qwen3 && config.hidden % config.heads != 0)
    top.refuse("hidden_size", concat("a multiple of the ", config.heads, " heads"));
  config.head_size = size_or("head_dim", is_qwen3 ? 128 : config.hidden / config.heads);
  if (config.head_size % 2 != 0) top.refuse("head_dim", "an even number");
  config.intermediate = size("intermediate_size");
  config.vocabulary = size("vocab_size");
  config.positions = size("max_position_embeddings", std::int64_t{1} << 40);
  if (top.has("rms_norm_eps")) config.norm_epsilon = top.number("rms_norm_eps");
  if (!(config.norm_epsilon > 0)) top.refuse("rms_norm_eps", "a number above 0");
  if (top.text("hidden_act") != "silu") top.refuse("hidden_act", "\"silu\"");
  config.output_bias = (family == "llama" || family == "qwen3") && flag("attention_bias");
  config.query_bias = family == "qwen2" || config.output_bias;
  config.mlp_bias = family == "llama" && flag("mlp_bias");
  config.query_key_norm = is_qwen3;
  config.tied = flag("tie_word_embeddings");
  config.rotary = read_rotary(top, config);
  read_windows(top, family, config);
  return config;
}

}  // namespace palimpsest
