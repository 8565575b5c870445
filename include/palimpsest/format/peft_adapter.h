#pragma once
// LoRA adapters as Hugging Face's PEFT saves them: a folder with adapter_config.json and
// adapter_model.safetensors.
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/format/records.h"

namespace palimpsest {

struct PeftAdapter {
  std::string name;  // of the folder
  std::string base;  // base_model_name_or_path; "" where the configuration has none
  std::vector<LoraFactors>
      lora;            // in layout order; names as PEFT has them, less "base_model.model."
  std::string sha256;  // of adapter_model.safetensors
  std::string remark;  // what of the adapter is left out (modules_to_save); "" otherwise
};

// Plain LoRA on linear layers, with r, lora_alpha, use_rslora, rank_pattern and alpha_pattern.
// Throws InputError, with the reason, on anything else: a file is missing or damaged, another kind
// of adapter, DoRA, trained biases, layers that aren't linear, an initialisation that changed the
// base model (PiSSA, OLoRA, CorDA, LoftQ), a tensor that isn't known.
PeftAdapter read_peft_adapter(const std::filesystem::path& folder);

}  // namespace palimpsest
