#include "palimpsest/format/backbone_config.h"

#include <algorithm>

#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/canonical_weights.h"

namespace palimpsest {
namespace {

constexpr RefusedField kRefused[] = {
    {"quantization_config", "its weights are quantized: save the model in float32 first"},
    {"compression_config", "its weights are compressed: save the model in float32 first"},
    {"auto_map", "the model comes with its own code, which Palimpsest doesn't run"},
    {"is_decoder",
     "a decoder hides later tokens from each token; a model of this family is an encoder"},
    {"is_encoder_decoder", "an encoder with a decoder is not computed by Palimpsest"},
    {"add_cross_attention", "cross-attention is not computed by Palimpsest"},
    {"pruned_heads", "heads were taken out; all blocks must have the same heads"},
    {"position_embedding_type", "only positions that are added as embeddings", "\"absolute\""},
    {"rope_theta", "rotary positions are not computed by Palimpsest"},
    {"rope_scaling", "rotary positions are not computed by Palimpsest"},
    {"rope_parameters", "rotary positions are not computed by Palimpsest"},
    {"rotary_emb_base", "rotary positions are not computed by Palimpsest"},
    {"rotary_emb_fraction", "rotary positions are not computed by Palimpsest"},
    {"alibi_starting_size", "biases by distance are not computed by Palimpsest"},
    {"feed_forward_type", "another MLP than that of the family", "\"original\""},
    {"num_key_value_heads", "keys and values that several heads share"},
};

// Read elsewhere; or of training, generation, loading, and heads, and nothing to the features.
constexpr std::string_view kHarmless =
    "architectures architecture model_type transformers_version torch_dtype dtype "
    "_name_or_path name_or_path _commit_hash _attn_implementation "
    "_attn_implementation_autoset attn_implementation attention_type model_name "
    "output_attentions output_hidden_states return_dict use_return_dict torchscript "
    "output_past chunk_size_feed_forward id2label label2id num_labels _num_labels "
    "problem_type initializer_range initializer_factor hidden_dropout_prob "
    "attention_probs_dropout_prob classifier_dropout bos_token_id eos_token_id pad_token_id "
    "sep_token_id cls_token_id mask_token_id unk_token_id decoder_start_token_id "
    "tie_word_embeddings tie_encoder_decoder tokenizer_class gradient_checkpointing use_cache "
    "finetuning_task task_specific_params directionality pooler_fc_size "
    "pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type "
    "use_bfloat16 language prefix sentence_transformers license min_length max_length "
    "do_sample num_beams num_beam_groups temperature top_k top_p typical_p repetition_penalty "
    "length_penalty diversity_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size "
    "bad_words_ids num_return_sequences early_stopping remove_invalid_values "
    "return_dict_in_generate output_scores forced_bos_token_id forced_eos_token_id "
    "exponential_decay_length_penalty suppress_tokens begin_suppress_tokens tf_legacy_loss "
    "hidden_size num_hidden_layers num_attention_heads intermediate_size vocab_size "
    "max_position_embeddings relative_attention_num_buckets type_vocab_size layer_norm_eps "
    "hidden_act head_dim image_size "
    "patch_size num_channels qkv_bias encoder_stride pooler_output_size pooler_act mlp_ratio "
    "layerscale_value drop_path_rate use_swiglu_ffn apply_layernorm reshape_hidden_states "
    "use_mask_token stage_names out_features out_indices num_register_tokens "
    "interpolate_antialias interpolate_offset num_classes num_features global_pool "
    "pretrained_cfg model_args";

constexpr std::string_view kTextFamilies = "bert roberta xlm-roberta camembert mpnet";
constexpr std::int64_t kMpnetBuckets = 32;  // transformers' MPNetModel has no other number

bool is_llama(const nlohmann::json& config) {
  const nlohmann::json family = config.value("model_type", nlohmann::json());
  return !config.contains("architecture") && family.is_string() &&
         lists(kLlamaFamilies, family.get<std::string>());
}

// Fields that are read elsewhere or change nothing.
std::string known_fields(const nlohmann::json& config) {
  return is_llama(config) ? concat(kHarmless, ' ', kLlamaFields) : std::string(kHarmless);
}

// Throws InputError for a field that is set to change what the model computes, in a way that
// Palimpsest doesn't: quantized weights, the model's own code, an encoder's rotary positions, ...
void check_model_fields(const JsonObject& config) {
  check_fields(config, kRefused, known_fields(config.json), "");
}

// Fields that are set and neither read nor known to change nothing.
std::vector<std::string> unknown_model_fields(const nlohmann::json& config) {
  const std::string known = known_fields(config);
  std::vector<std::string> unknown;
  for (const auto& [name, value] : config.items()) {
    const bool is_refused =
        std::ranges::find(kRefused, name, &RefusedField::name) != std::end(kRefused);
    if (!is_refused && !lists(known, name) && is_set(config, name)) unknown.push_back(name);
  }
  return unknown;
}

std::string line(const BertConfig& c) {
  return concat("bert ", c.hidden, ' ', c.layers, ' ', c.heads, ' ', c.intermediate, ' ',
                c.vocabulary, ' ', c.positions, ' ', c.first_position, ' ', c.type_vocabulary, ' ',
                c.layer_norm_epsilon, ' ', c.hidden_act) +
         (c.attention_buckets > 0 ? concat(" relative ", c.attention_buckets) : "");
}

std::string line(const LlamaConfig& c) {
  std::string text =
      concat("llama ", c.hidden, ' ', c.layers, ' ', c.heads, ' ', c.key_value_heads, ' ',
             c.head_size, ' ', c.intermediate, ' ', c.vocabulary, ' ', c.positions, ' ',
             c.norm_epsilon, ' ', c.query_bias, ' ', c.output_bias, ' ', c.mlp_bias, ' ',
             c.query_key_norm, ' ', c.tied, " rotary ", c.rotary.scale, " window ", c.window);
  for (const float frequency : c.rotary.frequencies) text += concat(' ', frequency);
  for (const bool windowed : c.is_windowed) text += windowed ? " w" : " -";
  return text;
}

std::string line(const VitConfig& c) {
  std::string text =
      concat("vit ", c.width, ' ', c.depth, ' ', c.heads, ' ', c.mlp, ' ', c.patch, ' ', c.grid,
             ' ', c.class_token, ' ', c.registers, ' ', c.placed, ' ', c.projection_bias, ' ',
             c.layer_scale, ' ', c.query_key_norm, ' ', c.swiglu, ' ', c.norm_after_pooling, ' ',
             c.mean_pooling, ' ', c.layer_norm_epsilon, ' ', c.interpolation, ' ', c.crop_share);
  for (const double value : c.mean) text += concat(' ', value);
  for (const double value : c.deviation) text += concat(' ', value);
  return text;
}

// Throws InputError where the output layer, which the config says is the embedding, is another.
void check_tied(const JsonObject& config, const PretrainedWeights& weights) {
  const std::string output = "lm_head.weight";
  if (!weights.contains(output)) return;
  const CanonicalWeights canonical(weights, llama_spellings());
  const std::string embedding = canonical.find_place("embed_tokens.weight").tensors.front();
  if (std::ranges::equal(weights.tensor(output).bytes, weights.tensor(embedding).bytes)) return;
  config.refuse("tie_word_embeddings",
                concat("false, since ", output, " and ", embedding, " differ"));
}

}  // namespace

BackboneConfig read_backbone_config(const std::filesystem::path& folder,
                                    const PretrainedWeights& weights) {
  const std::filesystem::path path = folder / "config.json";
  if (!std::filesystem::exists(path)) {
    throw InputError(concat(folder.string(),
                            ": expected config.json beside the weights, as transformers and timm "
                            "write it, found none"));
  }
  const nlohmann::json json = read_json_object(path);
  const JsonObject top{json, path};
  const bool is_timm = top.has("architecture");
  const std::string family = is_timm ? "" : top.text("model_type");
  const bool is_vision = is_timm || family == "vit" || family.starts_with("dinov2");
  if (!is_vision && !lists(kTextFamilies, family) && !lists(kLlamaFamilies, family)) {
    top.refuse("model_type",
               "bert, roberta, xlm-roberta, camembert, mpnet, llama, mistral, qwen2, qwen3, vit, "
               "dinov2 or dinov2_with_registers");
  }
  if (is_vision) {
    check_model_fields(top);
    return read_vit_config(folder, weights);
  }
  BackboneConfig config = read_text_config(path);
  const auto* const decoder = std::get_if<LlamaConfig>(&config);
  if (decoder != nullptr && decoder->tied) check_tied(top, weights);
  return config;
}

BackboneConfig read_text_config(const std::filesystem::path& path) {
  const nlohmann::json json = read_json_object(path);
  const JsonObject top{json, path};
  const std::string family = top.text("model_type");
  if (!lists(kTextFamilies, family) && !lists(kLlamaFamilies, family)) {
    top.refuse("model_type",
               "bert, roberta, xlm-roberta, camembert, mpnet, llama, mistral, qwen2 or qwen3 (give "
               "the folder of a vision transformer, with its weights, as --backbone)");
  }
  check_model_fields(top);
  if (lists(kTextFamilies, family)) return read_bert_config(path);
  return read_llama_config(path);
}

bool takes_texts(const BackboneConfig& config) {
  return !std::holds_alternative<VitConfig>(config);
}

TextLimits text_limits(const BackboneConfig& config) {
  if (const auto* llama = std::get_if<LlamaConfig>(&config))
    return {.vocabulary = llama->vocabulary, .positions = llama->positions};
  const auto& bert = std::get<BertConfig>(config);
  return {.vocabulary = bert.vocabulary, .positions = bert.positions};
}

std::string remark_on_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  const nlohmann::json json = read_json_object(path);
  std::string names;
  for (const std::string& name : unknown_model_fields(json))
    names += concat(names.empty() ? "" : ", ", name);
  std::string remark;
  if (!names.empty())
    remark = concat(path.string(), ": unknown fields, which are not used: ", names);
  const nlohmann::json prepared = json.value("pretrained_cfg", nlohmann::json::object());
  if (prepared.is_object() && is_set(prepared, "crop_mode") && prepared["crop_mode"] != "center") {
    remark += concat(remark.empty() ? path.string() + ": " : "; ", "pretrained_cfg.crop_mode is ",
                     prepared["crop_mode"].dump(), "; test images are cropped at their centre");
  }
  return remark;
}

std::string describe(const BackboneConfig& config) {
  return std::visit([](const auto& shape) { return line(shape); }, config);
}

BertConfig read_bert_config(const std::filesystem::path& path) {
  const nlohmann::json json = read_json_object(path);
  const JsonObject top{json, path};
  const std::string family = top.text("model_type");
  if (!lists(kTextFamilies, family))
    top.refuse("model_type", "bert, roberta, xlm-roberta, camembert or mpnet");
  const bool is_mpnet = family == "mpnet";
  BertConfig config;
  config.hidden = top.integer("hidden_size", 1);
  config.layers = top.integer("num_hidden_layers", 1);
  config.heads = top.integer("num_attention_heads", 1);
  config.intermediate = top.integer("intermediate_size", 1);
  config.vocabulary = top.integer("vocab_size", 1);
  config.positions = top.integer("max_position_embeddings", 1);
  if (family != "bert") {  // rows up to the padding token's own stay unused
    const bool says_padding = top.has("pad_token_id") && !is_mpnet;  // MPNet's is always 1
    config.first_position = (says_padding ? top.integer("pad_token_id", 0) : 1) + 1;
    config.positions -= config.first_position;
    if (config.positions < 1)
      top.refuse("max_position_embeddings", concat("more than ", config.first_position));
  }
  if (is_mpnet) {
    config.type_vocabulary = 0;
    config.attention_buckets = kMpnetBuckets;
    if (top.has("relative_attention_num_buckets") &&
        top.integer("relative_attention_num_buckets", 1) != kMpnetBuckets)
      top.refuse("relative_attention_num_buckets", concat(kMpnetBuckets));
  } else if (top.has("type_vocab_size")) {
    config.type_vocabulary = top.integer("type_vocab_size", 1);
  }
  if (top.has("layer_norm_eps")) config.layer_norm_epsilon = top.number("layer_norm_eps");
  config.hidden_act = top.text("hidden_act");
  if (config.hidden_act != "gelu") top.refuse("hidden_act", "\"gelu\"");
  check_model_fields(top);
  if (!(config.layer_norm_epsilon > 0)) top.refuse("layer_norm_eps", "a number above 0");
  if (config.hidden % config.heads != 0) {
    top.refuse("hidden_size", concat("a multiple of the ", config.heads, " heads"));
  }
  if (top.has("head_dim") && top.integer("head_dim", 1) != config.hidden / config.heads)
    top.refuse("head_dim", "hidden_size / num_attention_heads");
  return config;
}

}  // namespace palimpsest
