#include <algorithm>
#include <cmath>
#include <optional>

#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/backbone_config.h"
#include "palimpsest/format/canonical_weights.h"

namespace palimpsest {
namespace {

constexpr std::array<double, 3> kImageNetMean{0.485, 0.456, 0.406},
    kImageNetDeviation{0.229, 0.224, 0.225};

void read_colours(const JsonObject& object, const char* field, std::array<double, 3>& into) {
  const nlohmann::json& values = object.array(field);
  const bool is_good = values.size() == 3 && std::ranges::all_of(values, [](const auto& value) {
                         return value.is_number();
                       });
  if (!is_good) object.refuse(field, "three numbers, for red, green and blue");
  std::ranges::transform(values, into.begin(),
                         [](const auto& v) { return v.template get<double>(); });
}

// What the shapes of the tensors say.
void read_shapes(const PretrainedWeights& checkpoint, VitConfig& config) {
  const CanonicalWeights weights(checkpoint, vit_spellings());
  const auto refuse = [&](std::string_view tensor, std::string_view expected, const auto& found) {
    throw InputError(concat(checkpoint.path().string(), ": tensor ", weights.name_in_file(tensor),
                            ": expected ", expected, ", found ", found));
  };
  const std::vector<std::int64_t> patches = weights.shape("patches.weight");
  if (patches.size() != 4 || patches[1] != 3 || patches[2] != patches[3]) {
    std::string found;
    for (const std::int64_t length : patches) found += concat(found.empty() ? "[" : ", ", length);
    refuse("patches.weight", "[width, 3, patch, patch]", found + "]");
  }
  config.width = patches[0];
  config.patch = patches[2];
  while (weights.contains(concat("blocks.", config.depth, ".norm1.weight"))) ++config.depth;
  if (config.depth == 0) weights.find_place("blocks.0.norm1.weight");  // throws
  config.class_token = weights.contains("class_token");
  if (weights.contains("registers")) {
    const std::vector<std::int64_t> shape = weights.shape("registers");
    config.registers = shape.size() == 2 ? shape[0] : 1;
  }
  config.projection_bias = weights.contains("blocks.0.attn.query.bias");
  config.layer_scale = weights.contains("blocks.0.scale1");
  config.query_key_norm = weights.contains("blocks.0.attn.query_norm.weight");
  config.norm_after_pooling = checkpoint.contains("fc_norm.weight");
  config.mlp = weights.shape("blocks.0.mlp.fc2.weight").at(1);
  const std::int64_t middle = weights.shape("blocks.0.mlp.fc1.weight").at(0);
  config.swiglu = middle == 2 * config.mlp;
  if (!config.swiglu && middle != config.mlp) {
    refuse("blocks.0.mlp.fc1.weight", concat(config.mlp, " or ", 2 * config.mlp, " rows"), middle);
  }

  const std::int64_t positions = weights.shape("positions").at(0);
  for (const std::int64_t placed :
       {config.prefix(), config.class_token ? std::int64_t{1} : 0, std::int64_t{0}}) {
    const auto side =
        static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(positions - placed))));
    if (positions > placed && side * side == positions - placed) {
      config.placed = placed;
      config.grid = side;
      return;
    }
  }
  refuse("positions", "those of a square grid of patches, with or without the tokens before them",
         concat(positions, " rows"));
}

// timm's vision transformers don't write their heads down; these widths come with these, except for
// one architecture (of all that timm 1.0.31 lists).
std::optional<std::int64_t> usual_heads(std::string_view architecture, std::int64_t width) {
  if (architecture.starts_with("vit_base_patch16_gap_")) return 16;
  static constexpr std::pair<std::int64_t, std::int64_t> kHeads[] = {
      {192, 3},  {256, 4},   {320, 5},   {384, 6},   {512, 8},   {640, 10},  {768, 12}, {832, 13},
      {896, 14}, {1024, 16}, {1152, 16}, {1280, 16}, {1408, 16}, {1536, 24}, {1664, 16}};
  for (const auto& [known, heads] : kHeads) {
    if (known == width) return heads;
  }
  return std::nullopt;
}

// timm's architectures whose tensors are those of a plain vision transformer, and whose arithmetic
// isn't: other approximations of gelu, norms after the branches.
constexpr std::string_view kOtherArithmetic[] = {"quickgelu",
                                                 "_rpn_",
                                                 "base_patch32_siglip",
                                                 "large_patch16_siglip_gap_512",
                                                 "so400m_patch16_siglip",
                                                 "giantopt_patch16_siglip"};

// A whole number, or a bool, that config.json may have, too. (Sizes of two numbers are left to the
// tensors.)
void check_against_tensors(const JsonObject& object, const char* field,
                           const nlohmann::json& of_tensors) {
  if (!object.has(field) || object.json.at(field) == of_tensors) return;
  if (of_tensors.is_boolean() || object.json.at(field).is_number())
    object.refuse(field, concat(of_tensors.dump(), ", as the tensors have it"));
}

// timm's: read, or said by the tensors, or of training and heads.
constexpr std::string_view kTimmHarmless =
    "num_heads embed_dim depth patch_size img_size in_chans mlp_ratio qkv_bias qk_norm "
    "init_values class_token no_embed_class reg_tokens global_pool fc_norm num_classes "
    "dynamic_img_size dynamic_img_pad strict_img_size drop_rate pos_drop_rate patch_drop_rate "
    "proj_drop_rate attn_drop_rate drop_path_rate weight_init fix_init device dtype";
constexpr RefusedField kTimmRefused[] = {
    {"pos_embed", "only positions that are learned and added", "\"learn\""},
    {"proj_bias", "the layers behind attention and MLP have biases", "true"},
    {"final_norm", "the last norm is always there", "true"},
};

void read_timm(const JsonObject& top, const PretrainedWeights& checkpoint, VitConfig& config) {
  if (!top.text("architecture").starts_with("vit_") &&
      !top.text("architecture").starts_with("deit")) {
    top.refuse("architecture", "a vision transformer of timm: vit_... or deit...");
  }
  for (const std::string_view unknown : kOtherArithmetic) {
    if (top.text("architecture").find(unknown) != std::string::npos) {
      top.refuse("architecture", "the exact gelu, and a norm before attention and MLP");
    }
  }
  const nlohmann::json none = nlohmann::json::object();
  const JsonObject arguments{top.has("model_args") ? top.object("model_args") : none, top.path,
                             "model_args"};
  check_fields(arguments, kTimmRefused, kTimmHarmless,
               "expected timm's default, unnamed: it changes the model");
  check_against_tensors(arguments, "embed_dim", config.width);
  check_against_tensors(arguments, "depth", config.depth);
  check_against_tensors(arguments, "patch_size", config.patch);
  check_against_tensors(arguments, "reg_tokens", config.registers);
  if (arguments.has("num_heads")) {
    config.heads = arguments.integer("num_heads", 1);
  } else if (config.query_key_norm) {
    const CanonicalWeights weights(checkpoint, vit_spellings());
    config.heads = config.width / weights.shape("blocks.0.attn.query_norm.weight").at(0);
  } else if (const auto heads = usual_heads(top.text("architecture"), config.width)) {
    config.heads = *heads;
  } else {
    arguments.refuse("num_heads", concat("the number of heads of a model of width ", config.width));
  }
  const std::string pool = top.has("global_pool") ? top.text("global_pool") : "token";
  if (pool != "token" && pool != "avg") top.refuse("global_pool", "\"token\" or \"avg\"");
  config.mean_pooling = pool == "avg";
  if (!top.has("pretrained_cfg")) return;
  const JsonObject prepared{top.object("pretrained_cfg"), top.path, "pretrained_cfg"};
  if (prepared.has("mean")) read_colours(prepared, "mean", config.mean);
  if (prepared.has("std")) read_colours(prepared, "std", config.deviation);
  if (prepared.has("interpolation")) config.interpolation = prepared.text("interpolation");
  if (prepared.has("crop_pct")) config.crop_share = prepared.number("crop_pct");
}

// Of a preprocessor: side of the centre crop over the short side before it; 1 where nothing is
// cropped. Both are numbers in old files, objects in newer ones.
double read_crop_share(const JsonObject& prepared) {
  const auto side = [&](const char* key, const char* inner) -> std::optional<double> {
    if (!prepared.has(key)) return std::nullopt;
    if (prepared.json.at(key).is_number()) {
      return static_cast<double>(prepared.integer(key, 1));
    }
    const JsonObject sizes{prepared.object(key), prepared.path, key};
    if (!sizes.has(inner)) return std::nullopt;
    return static_cast<double>(sizes.integer(inner, 1));
  };
  const auto crop = side("crop_size", "height"), before = side("size", "shortest_edge");
  const bool cropped =
      !prepared.has("do_center_crop") || prepared.json.at("do_center_crop") != false;
  return cropped && crop && before && *crop <= *before ? *crop / *before : 1.0;
}

void read_transformers(const JsonObject& top, VitConfig& config) {
  const std::string family = top.text("model_type");
  if (family != "vit" && family != "dinov2" && family != "dinov2_with_registers") {
    top.refuse("model_type", "vit, dinov2 or dinov2_with_registers");
  }
  config.heads = top.integer("num_attention_heads", 1);
  if (top.has("layer_norm_eps")) config.layer_norm_epsilon = top.number("layer_norm_eps");
  if (!(config.layer_norm_epsilon > 0)) top.refuse("layer_norm_eps", "a number above 0");
  if (!config.swiglu && top.has("hidden_act") && top.text("hidden_act") != "gelu") {
    top.refuse("hidden_act", "\"gelu\"");
  }
  check_against_tensors(top, "hidden_size", config.width);
  check_against_tensors(top, "num_hidden_layers", config.depth);
  check_against_tensors(top, "patch_size", config.patch);
  check_against_tensors(top, "num_channels", 3);
  check_against_tensors(top, "head_dim", config.width / config.heads);
  if (family == "vit") check_against_tensors(top, "intermediate_size", config.mlp);
  if (family == "dinov2_with_registers")
    check_against_tensors(top, "num_register_tokens", config.registers);
  check_against_tensors(top, "qkv_bias", config.projection_bias);
  check_against_tensors(top, "use_swiglu_ffn", config.swiglu);
  if (family != "vit") {
    config.mean = kImageNetMean;
    config.deviation = kImageNetDeviation;
  }
  const std::filesystem::path path = top.path.parent_path() / "preprocessor_config.json";
  if (!std::filesystem::exists(path)) return;
  const nlohmann::json json = read_json_object(path);
  const JsonObject prepared{json, path};
  if (prepared.has("do_rescale") && prepared.json.at("do_rescale") == false)
    prepared.refuse("do_rescale", "true: pixels are taken from [0, 1]");
  if (prepared.has("rescale_factor") &&
      std::abs(255 * prepared.number("rescale_factor") - 1) > 1e-4)
    prepared.refuse("rescale_factor", "1/255: pixels are taken from [0, 1]");
  if (prepared.has("image_mean")) read_colours(prepared, "image_mean", config.mean);
  if (prepared.has("image_std")) read_colours(prepared, "image_std", config.deviation);
  if (prepared.has("do_normalize") && prepared.json.at("do_normalize") == false) {
    config.mean = {0, 0, 0};
    config.deviation = {1, 1, 1};
  }
  config.crop_share = read_crop_share(prepared);
  if (prepared.has("resample")) {  // as Pillow numbers them
    const std::int64_t resample = prepared.integer("resample", 0);
    if (resample != 2 && resample != 3) prepared.refuse("resample", "2 (bilinear) or 3 (bicubic)");
    config.interpolation = resample == 2 ? "bilinear" : "bicubic";
  }
}

}  // namespace

VitConfig read_vit_config(const std::filesystem::path& folder, const PretrainedWeights& weights) {
  const std::filesystem::path path = folder / "config.json";
  const nlohmann::json json = read_json_object(path);
  const JsonObject top{json, path};
  VitConfig config;
  read_shapes(weights, config);
  if (top.has("architecture")) {
    read_timm(top, weights, config);
  } else {
    read_transformers(top, config);
  }
  if (config.width % config.heads != 0) {
    throw InputError(concat(path.string(), ": ", config.heads,
                            " heads: expected a number that divides the width, ", config.width));
  }
  if (std::ranges::any_of(config.deviation, [](double value) { return !(value > 0); })) {
    throw InputError(concat(path.string(),
                            ": the standard deviations of the colours: expected "
                            "numbers above 0"));
  }
  if (config.interpolation != "bilinear" && config.interpolation != "bicubic") {
    throw InputError(concat(path.string(), ": interpolation: expected bilinear or bicubic, found ",
                            config.interpolation));
  }
  if (!(config.crop_share > 0 && config.crop_share <= 1)) {
    throw InputError(concat(path.string(), ": crop_pct: expected a share from 0 to 1, found ",
                            config.crop_share));
  }
  return config;
}

}  // namespace palimpsest
