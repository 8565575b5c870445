#pragma once
// LoRA adapters as Hugging Face's PEFT saves them: a folder with adapter_config.json and
// adapter_model.safetensors. A field or a tensor that would change what is merged, and isn't
// understood, is refused by name.
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/format/records.h"

namespace palimpsest {

struct PeftAdapter {
  std::string name;      // of the folder
  std::string base;      // base_model_name_or_path; "" where the configuration has none
  std::string revision;  // of the base; "" where the configuration has none
  std::vector<LoraFactors>
      lora;            // in layout order; names as PEFT has them, less "base_model.model."
  std::string sha256;  // of adapter_model.safetensors
  std::string remark;  // what of the adapter is left out (modules_to_save); "" otherwise
};

// Plain LoRA on linear layers, with r, lora_alpha, use_rslora, rank_pattern, alpha_pattern and
// target_modules as PEFT reads them. Throws InputError, with the name and the reason, on anything
// else: a file is missing or damaged, another kind of adapter, a field that is set and neither
// understood nor harmless, an initialisation that changed the base model,
// a tensor that isn't known. Whole layers of modules_to_save are left out, and the remark says so.
PeftAdapter read_peft_adapter(const std::filesystem::path& folder);

}  // namespace palimpsest
