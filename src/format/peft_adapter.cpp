#include "palimpsest/format/peft_adapter.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <stdexcept>

#include "json_fields.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/safetensors.h"
#include "python_regex.h"

namespace palimpsest {
namespace {

// Read or checked below; or of training, loading or saving. Which layers have an adapter is also
// said by the tensors. The configuration of an initialisation counts only together with
// init_lora_weights.
constexpr std::string_view kHarmlessFields =
    "peft_type base_model_name_or_path revision r lora_alpha use_rslora rank_pattern "
    "alpha_pattern bias init_lora_weights target_modules exclude_modules modules_to_save "
    "task_type auto_mapping peft_version inference_mode lora_dropout runtime_config "
    "megatron_core layers_to_transform layers_pattern eva_config corda_config loftq_config "
    "lora_ga_config qalora_group_size";

// What plain LoRA on linear layers hasn't, and why it can't be merged.
constexpr RefusedField kRefusedFields[] = {
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

// Every field is understood, changes nothing in what is merged, or says no; throws InputError with
// the name of any other, its value and, where known, what it means. A field that isn't known is
// refused, too.
void check_adapter_fields(const JsonObject& config) {
  if (config.text("peft_type") != "LORA")
    config.refuse_value("peft_type", "only LORA adapters can be merged");
  if (config.has("bias") && config.text("bias") != "none")
    config.refuse_value("bias", "trained biases are not part of s B A, and would be lost");
  if (is_set(config.json, "use_rslora") && config.json.at("use_rslora") != true)
    config.refuse("use_rslora", "true or false");
  check_start(config);
  check_fields(config, kRefusedFields, kHarmlessFields,
               "a field that this program doesn't know, and that may change what the adapter does; "
               "take it out of the file if it changes nothing in s B A");
}

constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kA = ".lora_A.weight", kB = ".lora_B.weight";

bool matches(const JsonObject& config, const char* field, const std::string& pattern,
             const std::string& module) {
  try {
    return full_match(pattern, module);
  } catch (const std::invalid_argument& error) {
    config.refuse(field, concat("regular expressions that this program reads (", pattern, ": ",
                                error.what(), ")"));
  }
}

// rank_pattern and alpha_pattern by PEFT's own rule: the first key, in the file's order, that is
// the module's name or the end of it, as a regular expression.
using Patterns = std::vector<std::pair<std::string, double>>;

Patterns read_patterns(const JsonObject& config, const nlohmann::ordered_json& in_order,
                       const char* field) {
  Patterns patterns;
  if (!is_set(config.json, field)) return patterns;
  config.object(field);
  for (const auto& [key, value] : in_order.at(field).items()) {
    if (!value.is_number()) config.refuse(field, "numbers");
    patterns.emplace_back(key, value.get<double>());
  }
  return patterns;
}

// What the configuration says of every module.
struct Settings {
  JsonObject config;
  double rank = 0, alpha = 0;
  Patterns ranks, alphas;

  double value_for(const char* field, const Patterns& patterns, const std::string& module,
                   double otherwise) const {
    for (const auto& [key, value] : patterns) {
      if (matches(config, field, "(.*\\.)?(" + key + ")", module)) return value;
    }
    return otherwise;
  }
};

// PEFT's own rule: a list has names or their ends, a text is a regular expression.
bool names(const JsonObject& config, const char* field, const std::string& module) {
  const nlohmann::json& value = config.json.at(field);
  if (value.is_string()) return matches(config, field, value.get<std::string>(), module);
  return std::ranges::any_of(config.array(field), [&](const nlohmann::json& name) {
    if (!name.is_string()) config.refuse(field, "names of modules");
    const std::string text = name.get<std::string>();
    return module == text || module.ends_with("." + text);
  });
}

void check_targeted(const JsonObject& config, const std::string& module) {
  const bool excluded =
      is_set(config.json, "exclude_modules") && names(config, "exclude_modules", module);
  const bool named = !is_set(config.json, "target_modules") ||
                     config.json.at("target_modules") == "all-linear" ||
                     names(config, "target_modules", module);
  if (named && !excluded) return;
  throw InputError(concat(config.path.string(), ": ",
                          excluded ? "exclude_modules" : "target_modules",
                          excluded ? " leaves out " : " doesn't name ", module,
                          ", which has lora_A and lora_B in adapter_model.safetensors: PEFT would "
                          "not load them. The two files don't belong together"));
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

const TensorView& find_matrix(const SafetensorsFile& file, const std::string& name) {
  const TensorView& tensor = file.tensor(name);
  if (tensor.shape.size() == 2) return file.float_tensor(name, tensor.shape);
  throw InputError(concat(file.path().string(), ": ", name, ": expected the matrix of a linear ",
                          "layer, found ", tensor.shape.size(), " dimensions"));
}

// Names that a wrapper has changed in training.
void refuse_wrapper(const SafetensorsFile& file, const std::string& full_name,
                    const std::string& module) {
  const auto refuse_part = [&](std::string_view wrapper) {
    if (module.find(wrapper) == std::string::npos) return;
    throw InputError(concat(file.path().string(), ": ", full_name, ": expected the base model's ",
                            "own names behind ", kPrefix, ", found \"", wrapper,
                            "\" among them, which a wrapper has put there: take it out of the "
                            "names of all tensors"));
  };
  refuse_part(kPrefix);
  for (const std::string_view wrapper : kWrapperParts) refuse_part(wrapper);
}

LoraFactors read_module(const SafetensorsFile& file, const Settings& settings,
                        const std::string& full_name) {
  const TensorView& a = find_matrix(file, full_name + std::string(kA));
  const TensorView& b = find_matrix(file, full_name + std::string(kB));
  LoraFactors factors{.module = full_name, .out = b.shape[0], .in = a.shape[1], .a = {}, .b = {}};
  if (full_name.starts_with(kPrefix)) factors.module.erase(0, kPrefix.size());
  refuse_wrapper(file, full_name, factors.module);
  check_targeted(settings.config, factors.module);
  const double rank =
      settings.value_for("rank_pattern", settings.ranks, factors.module, settings.rank);
  factors.rank = a.shape[0];
  if (b.shape[1] != factors.rank || static_cast<double>(factors.rank) != rank) {
    throw InputError(concat(file.path().string(), ": ", full_name, ": lora_A has ", factors.rank,
                            " rows, lora_B ", b.shape[1], " columns; expected the rank ", rank,
                            " that adapter_config.json has"));
  }
  const double alpha =
      settings.value_for("alpha_pattern", settings.alphas, factors.module, settings.alpha);
  factors.scale = alpha / (is_set(settings.config.json, "use_rslora") ? std::sqrt(rank) : rank);
  factors.a = finite_values(file, full_name + std::string(kA), a);
  factors.b = finite_values(file, full_name + std::string(kB), b);
  return factors;
}

// Whether the tensor is of a layer that modules_to_save names.
bool is_saved_whole(const JsonObject& config, const std::string& name) {
  if (!is_set(config.json, "modules_to_save")) return false;
  const std::string path =
      concat('.', name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name);
  return std::ranges::any_of(config.array("modules_to_save"), [&](const nlohmann::json& module) {
    if (!module.is_string()) config.refuse("modules_to_save", "names of modules");
    return path.find(concat('.', module.get<std::string>(), '.')) != std::string::npos;
  });
}

// A tensor that is neither A nor B of a linear layer.
[[noreturn]] void refuse_tensor(const SafetensorsFile& file, const std::string& name) {
  static constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"lora_embedding_", "an adapter of an embedding"},
      {"lora_magnitude_vector", "a part of DoRA, whose change is not s B A"},
      {"lora_B.bias", "a bias of B"},
      {".lora_A.",
       "the adapter's name is in it: save the adapter with PEFT's save_pretrained, "
       "which leaves it out"},
      {".lora_B.",
       "the adapter's name is in it: save the adapter with PEFT's save_pretrained, "
       "which leaves it out"},
      {".base_layer.",
       "a weight of the base model: save the adapter alone, with PEFT's "
       "save_pretrained(folder, save_embedding_layers=False)"},
      {"trainable_tokens", "embeddings of single tokens"},
      {"lora_", "a part of another kind of LoRA"}};
  std::string_view kind =
      "a whole layer that modules_to_save doesn't name (PEFT adds embeddings by itself when the "
      "vocabulary has grown; without them: save_pretrained(folder, save_embedding_layers=False))";
  for (const auto& [part, what] : kKinds) {
    if (name.find(part) == std::string::npos) continue;
    kind = what;
    break;
  }
  throw InputError(concat(file.path().string(), ": ", name,
                          ": expected nothing but lora_A and lora_B of linear layers, found ",
                          kind));
}

std::string text_or_nothing(const JsonObject& config, const char* field) {
  return is_set(config.json, field) ? config.text(field) : "";
}

// Where there is no adapter: what is there instead.
void check_folder(const std::filesystem::path& folder) {
  const auto refuse = [&](const auto&... what) {
    throw InputError(concat(folder.string(),
                            ": expected the folder of an adapter, with adapter_config.json and "
                            "adapter_model.safetensors, found ",
                            what...));
  };
  if (!std::filesystem::exists(folder)) refuse("nothing there");
  if (!std::filesystem::is_directory(folder)) refuse("a file");
  const auto has = [&](const char* name) { return std::filesystem::exists(folder / name); };
  if (!has("adapter_config.json")) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (std::filesystem::exists(entry.path() / "adapter_config.json"))
        refuse("one in its folder ", entry.path().filename().string(), ": give that one");
    }
    if (has("config.json")) refuse("a whole model (config.json)");
    refuse("no adapter_config.json");
  }
  if (has("adapter_model.safetensors")) return;
  if (has("adapter_model.bin")) {
    refuse(
        "adapter_model.bin, a pickle, which Palimpsest doesn't read: open the adapter with PEFT "
        "and "
        "save it again, save_pretrained(folder, safe_serialization=True)");
  }
  refuse("no adapter_model.safetensors");
}

}  // namespace

PeftAdapter read_peft_adapter(const std::filesystem::path& folder) {
  check_folder(folder);
  const std::filesystem::path config_path = folder / "adapter_config.json";
  const nlohmann::json json = read_json_object(config_path);
  const JsonObject config{json, config_path};
  check_adapter_fields(config);
  const nlohmann::ordered_json in_order = nlohmann::ordered_json::parse(read_file(config_path));
  const Settings settings{.config = config,
                          .rank = config.number("r"),
                          .alpha = config.number("lora_alpha"),
                          .ranks = read_patterns(config, in_order, "rank_pattern"),
                          .alphas = read_patterns(config, in_order, "alpha_pattern")};
  const SafetensorsFile file(folder / "adapter_model.safetensors");
  PeftAdapter adapter{.name = std::filesystem::weakly_canonical(folder).filename().string(),
                      .base = text_or_nothing(config, "base_model_name_or_path"),
                      .revision = text_or_nothing(config, "revision"),
                      .lora = {},
                      .sha256 = sha256_file(file.path()),
                      .remark = {}};
  std::map<std::string, LoraFactors> modules;
  bool left_out = false;
  for (const std::string& name : file.names()) {
    const bool is_b = name.ends_with(kB);
    if (!is_b && !name.ends_with(kA)) {
      if (!is_saved_whole(config, name)) refuse_tensor(file, name);
      left_out = true;
      continue;
    }
    const std::string module = name.substr(0, name.size() - kA.size());
    if (is_b) {
      file.tensor(module + std::string(kA));  // or refused
      continue;
    }
    LoraFactors factors = read_module(file, settings, module);
    const auto [at, is_new] = modules.emplace(factors.module, std::move(factors));
    if (!is_new) {
      throw InputError(concat(file.path().string(), ": ", at->first,
                              " has two adapters, one of them behind ", kPrefix,
                              ": expected one for a module"));
    }
  }
  if (modules.empty()) throw InputError(concat(file.path().string(), ": no lora_A, lora_B in it"));
  for (auto& [name, factors] : modules) adapter.lora.push_back(std::move(factors));
  if (left_out) {
    adapter.remark = concat(adapter.name, ": modules_to_save ", json.at("modules_to_save").dump(),
                            " (whole layers, as heads are) are left out");
  }
  return adapter;
}

}  // namespace palimpsest
