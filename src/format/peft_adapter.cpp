#include "palimpsest/format/peft_adapter.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <regex>

#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/safetensors.h"

namespace palimpsest {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kA = ".lora_A.weight", kB = ".lora_B.weight";

// Whether the field says something other than "no": null, false, "" and empty lists say no.
bool is_set(const nlohmann::json& config, const char* field) {
  const nlohmann::json value = config.value(field, nlohmann::json());
  if (value.is_null() || value == false) return false;
  return !(value.is_string() || value.is_structured()) || !value.empty();
}

// What plain LoRA on linear layers hasn't, and why it can't be merged.
void refuse_other_than_plain(const JsonObject& config) {
  const auto refuse = [&](const char* field, std::string_view reason) {
    throw InputError(concat(config.path.string(), ": ", field, " is ",
                            config.json.at(field).dump().substr(0, 80), ": ", reason));
  };
  if (config.text("peft_type") != "LORA") refuse("peft_type", "only LORA adapters can be merged");
  if (is_set(config.json, "use_dora")) {
    refuse("use_dora", "DoRA rescales the base weights too; its change is not s B A");
  }
  if (config.has("bias") && config.text("bias") != "none") {
    refuse("bias", "trained biases are not part of s B A, and would be lost");
  }
  if (is_set(config.json, "lora_bias")) refuse("lora_bias", "only adapters without a bias of B");
  if (is_set(config.json, "fan_in_fan_out")) {
    refuse("fan_in_fan_out", "only linear layers with a weight [out, in]");
  }
  for (const char* const field : {"trainable_token_indices", "target_parameters"}) {
    if (is_set(config.json, field)) refuse(field, "only adapters of linear layers");
  }
  std::string start;
  if (config.has("init_lora_weights") && config.json.at("init_lora_weights").is_string()) {
    start = config.text("init_lora_weights");
  }
  std::ranges::transform(start, start.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const std::string_view changed : {"pissa", "olora", "corda", "loftq", "lora_ga"}) {
    if (start.starts_with(changed)) {
      refuse("init_lora_weights",
             "it changed the base model before training; convert the adapter to plain LoRA first "
             "(PEFT: save_pretrained with path_initial_model_for_weight_conversion)");
    }
  }
}

// PEFT's own rule: the first key that is the module's name or the end of it, as a regular
// expression.
double pattern_value(const JsonObject& config, const char* field, const std::string& module,
                     double otherwise) {
  if (!is_set(config.json, field)) return otherwise;
  for (const auto& [key, value] : config.object(field).items()) {
    if (!value.is_number()) config.refuse(field, "numbers");
    try {
      if (std::regex_match(module, std::regex("(.*\\.)?(" + key + ")"))) return value.get<double>();
    } catch (const std::regex_error& error) {
      config.refuse(field, concat("regular expressions (", error.what(), ")"));
    }
  }
  return otherwise;
}

std::vector<float> finite_values(const SafetensorsFile& file, const std::string& name,
                                 const TensorView& tensor) {
  std::vector<float> values = to_floats(tensor);
  if (std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) return values;
  throw InputError(
      concat(file.path().string(), ": ", name,
             ": expected finite numbers, found inf or nan: the adapter's training has ",
             "diverged, or the file is damaged"));
}

const TensorView& matrix_of(const SafetensorsFile& file, const std::string& name) {
  const TensorView& tensor = file.tensor(name);
  if (tensor.shape.size() == 2) return file.float_tensor(name, tensor.shape);
  throw InputError(concat(file.path().string(), ": ", name, ": expected the matrix of a linear ",
                          "layer, found ", tensor.shape.size(), " dimensions"));
}

LoraFactors read_module(const SafetensorsFile& file, const JsonObject& config,
                        const std::string& full_name) {
  const TensorView& a = matrix_of(file, full_name + std::string(kA));
  const TensorView& b = matrix_of(file, full_name + std::string(kB));
  LoraFactors factors{.module = full_name, .out = b.shape[0], .in = a.shape[1], .a = {}, .b = {}};
  if (full_name.starts_with(kPrefix)) factors.module.erase(0, kPrefix.size());
  const double rank = pattern_value(config, "rank_pattern", factors.module, config.number("r"));
  factors.rank = a.shape[0];
  if (b.shape[1] != factors.rank || static_cast<double>(factors.rank) != rank) {
    throw InputError(concat(file.path().string(), ": ", full_name, ": lora_A has ", factors.rank,
                            " rows, lora_B ", b.shape[1], " columns; expected the rank ", rank,
                            " that adapter_config.json has"));
  }
  const double alpha =
      pattern_value(config, "alpha_pattern", factors.module, config.number("lora_alpha"));
  factors.scale = alpha / (is_set(config.json, "use_rslora") ? std::sqrt(rank) : rank);
  factors.a = finite_values(file, full_name + std::string(kA), a);
  factors.b = finite_values(file, full_name + std::string(kB), b);
  return factors;
}

std::string text_or_nothing(const JsonObject& config, const char* field) {
  return is_set(config.json, field) ? config.text(field) : "";
}

}  // namespace

PeftAdapter read_peft_adapter(const std::filesystem::path& folder) {
  const std::filesystem::path config_path = folder / "adapter_config.json";
  const nlohmann::json json = read_json_object(config_path);
  const JsonObject config{json, config_path};
  refuse_other_than_plain(config);
  const SafetensorsFile file(folder / "adapter_model.safetensors");
  PeftAdapter adapter{.name = std::filesystem::weakly_canonical(folder).filename().string(),
                      .base = text_or_nothing(config, "base_model_name_or_path"),
                      .lora = {},
                      .sha256 = sha256_of_file(file.path()),
                      .remark = {}};
  const bool saves_more = is_set(json, "modules_to_save");
  std::map<std::string, LoraFactors> modules;
  for (const std::string& name : file.names()) {
    if (name.ends_with(kB) &&
        file.contains(name.substr(0, name.size() - kB.size()) + std::string(kA)))
      continue;
    if (!name.ends_with(kA)) {
      const bool is_lora = name.find("lora_") != std::string::npos;
      if (saves_more && !is_lora) continue;
      throw InputError(concat(file.path().string(), ": ", name,
                              ": expected nothing but lora_A and ", "lora_B of linear layers"));
    }
    LoraFactors factors = read_module(file, config, name.substr(0, name.size() - kA.size()));
    modules.emplace(factors.module, std::move(factors));
  }
  if (modules.empty()) throw InputError(concat(file.path().string(), ": no lora_A, lora_B in it"));
  for (auto& [name, factors] : modules) adapter.lora.push_back(std::move(factors));
  if (saves_more) {
    adapter.remark = concat(adapter.name, ": modules_to_save ", json.at("modules_to_save").dump(),
                            " (whole layers, as heads are) are left out");
  }
  return adapter;
}

}  // namespace palimpsest
