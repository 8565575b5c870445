#include "adapter_fields.h"

#include <algorithm>
#include <cctype>

namespace palimpsest {
namespace {

// Read by read_peft_adapter(), or checked below.
constexpr std::string_view kUnderstood =
    "peft_type base_model_name_or_path revision r lora_alpha use_rslora rank_pattern "
    "alpha_pattern bias init_lora_weights target_modules exclude_modules modules_to_save";

// Of training, loading or saving; which layers have an adapter is also said by the tensors. The
// configuration of an initialisation counts only together with init_lora_weights.
constexpr std::string_view kHarmlessFields =
    "task_type auto_mapping peft_version inference_mode lora_dropout runtime_config "
    "megatron_core layers_to_transform layers_pattern eva_config corda_config loftq_config "
    "lora_ga_config qalora_group_size";

// What plain LoRA on linear layers hasn't, and why it can't be merged.
struct Refused {
  std::string_view field, reason;
};
constexpr Refused kRefusedFields[] = {
    {"use_dora", "DoRA rescales the base weights too; its change is not s B A"},
    {"lora_bias", "only adapters without a bias of B"},
    {"fan_in_fan_out", "only linear layers with a weight [out, in]"},
    {"trainable_token_indices", "only adapters of linear layers"},
    {"target_parameters", "only adapters of linear layers"},
    {"alora_invocation_tokens",
     "an activated LoRA changes only the tokens behind its invocation; merged, it would change "
     "all"},
    {"arrow_config", "Arrow chooses among adapters for every token; a merge has one for all"},
    {"layer_replication", "it repeats layers of the base model, whose tensors would be shared"},
    {"use_qalora", "QALoRA's A takes pooled inputs; its change is not s B A"},
    {"use_bdlora", "BD-LoRA keeps parts of block-diagonal factors"},
    {"velora_config", "VeLoRA keeps further tensors beside A and B"},
    {"monteclora_config", "MonteCLoRA draws its factors at random; its change is not s B A"},
    {"kasa_config", "KaSA changes the base weights and scales between A and B"},
    {"megatron_config", "Megatron's parallel layers have parts of matrices"},
    {"ensure_weight_tying", "tied layers share an adapter; only layers with their own weights"},
};

// The base model that the adapter is a change of must be the one of base_model_name_or_path.
void check_start(const JsonObject& config) {
  if (!is_set(config.json, "init_lora_weights") || config.json.at("init_lora_weights") == true)
    return;
  std::string start = config.text("init_lora_weights");
  std::ranges::transform(start, start.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const std::string_view kept : {"gaussian", "eva", "orthogonal", "mica"}) {
    if (start == kept) return;
  }
  if (start == "loftq") {
    config.refuse_value(
        "init_lora_weights",
        "it quantized the base model before training; the adapter is a change of that one, and "
        "can't be converted");
  }
  for (const std::string_view changed : {"pissa", "olora", "corda", "lora_ga"}) {
    if (start.starts_with(changed)) {
      config.refuse_value(
          "init_lora_weights",
          "it changed the base model before training; convert the adapter to plain LoRA first "
          "(PEFT: save_pretrained with path_initial_model_for_weight_conversion)");
    }
  }
  config.refuse_value("init_lora_weights",
                      "an initialisation that isn't known: it may have changed the base model");
}

}  // namespace

void check_adapter_fields(const JsonObject& config) {
  if (config.text("peft_type") != "LORA")
    config.refuse_value("peft_type", "only LORA adapters can be merged");
  if (config.has("bias") && config.text("bias") != "none")
    config.refuse_value("bias", "trained biases are not part of s B A, and would be lost");
  if (is_set(config.json, "use_rslora") && config.json.at("use_rslora") != true)
    config.refuse("use_rslora", "true or false");
  check_start(config);
  for (const auto& [field, value] : config.json.items()) {
    if (lists(kUnderstood, field) || lists(kHarmlessFields, field) || !is_set(config.json, field))
      continue;
    const auto* const known = std::ranges::find(kRefusedFields, field, &Refused::field);
    if (known != std::end(kRefusedFields)) config.refuse_value(field, known->reason);
    config.refuse_value(
        field,
        "a field that this program doesn't know, and that may change what the adapter does; "
        "take it out of the file if it changes nothing in s B A");
  }
}

}  // namespace palimpsest
