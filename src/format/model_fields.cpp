#include "model_fields.h"

#include <algorithm>

namespace palimpsest {
namespace {

// What a field may say besides null, false and empty; what it would mean otherwise.
struct Field {
  std::string_view name, reason, allowed = {};
};

constexpr Field kRefused[] = {
    {"quantization_config", "its weights are quantized: save the model in float32 first"},
    {"compression_config", "its weights are compressed: save the model in float32 first"},
    {"auto_map", "the model comes with its own code, which Palimpsest doesn't run"},
    {"is_decoder", "a decoder hides the tokens behind from each token; this is an encoder"},
    {"is_encoder_decoder", "an encoder with a decoder; this is an encoder alone"},
    {"add_cross_attention", "cross-attention belongs to a decoder; this is an encoder"},
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
    "max_position_embeddings type_vocab_size layer_norm_eps hidden_act head_dim image_size "
    "patch_size num_channels qkv_bias encoder_stride pooler_output_size pooler_act mlp_ratio "
    "layerscale_value drop_path_rate use_swiglu_ffn apply_layernorm reshape_hidden_states "
    "use_mask_token stage_names out_features out_indices num_register_tokens "
    "interpolate_antialias interpolate_offset num_classes num_features global_pool "
    "pretrained_cfg model_args";

// timm's: read, or said by the tensors, or of training and heads.
constexpr std::string_view kTimmHarmless =
    "num_heads embed_dim depth patch_size img_size in_chans mlp_ratio qkv_bias qk_norm "
    "init_values class_token no_embed_class reg_tokens global_pool fc_norm num_classes "
    "dynamic_img_size dynamic_img_pad strict_img_size drop_rate pos_drop_rate patch_drop_rate "
    "proj_drop_rate attn_drop_rate drop_path_rate weight_init fix_init device dtype";
constexpr Field kTimmAllowed[] = {
    {"pos_embed", "only positions that are learned and added", "\"learn\""},
    {"proj_bias", "the layers behind attention and MLP have biases", "true"},
    {"final_norm", "the last norm is always there", "true"},
};

}  // namespace

void check_model_fields(const JsonObject& config) {
  for (const Field& field : kRefused) {
    const std::string name(field.name);
    if (is_set(config.json, name) && config.json.at(name).dump() != field.allowed)
      config.refuse_value(name, field.reason);
  }
}

void check_timm_arguments(const JsonObject& arguments) {
  for (const auto& [name, value] : arguments.json.items()) {
    if (lists(kTimmHarmless, name) || value.is_null()) continue;
    const auto* const allowed = std::ranges::find(kTimmAllowed, name, &Field::name);
    const bool is_known = allowed != std::end(kTimmAllowed);
    if (is_known ? value.dump() == allowed->allowed : !is_set(arguments.json, name)) continue;
    arguments.refuse_value(name, is_known
                                     ? allowed->reason
                                     : "expected timm's default, unnamed: it changes the model");
  }
}

std::vector<std::string> unknown_model_fields(const nlohmann::json& config) {
  std::vector<std::string> unknown;
  for (const auto& [name, value] : config.items()) {
    const bool is_refused = std::ranges::find(kRefused, name, &Field::name) != std::end(kRefused);
    if (!is_refused && !lists(kHarmless, name) && is_set(config, name)) unknown.push_back(name);
  }
  return unknown;
}

}  // namespace palimpsest
