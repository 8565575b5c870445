#include "model_config.h"

#include <nlohmann/json.hpp>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/kind_settings.h"

namespace palimpsest {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kTimmEpsilon = 1e-6;  // of LayerNorm; its config.json has no word for another

Json labels(const std::vector<std::string>& classes) {
  Json labels = Json::object();
  for (std::size_t c = 0; c < classes.size(); ++c) labels[std::to_string(c)] = classes[c];
  return labels;
}

Json class_numbers(const std::vector<std::string>& classes) {
  Json numbers = Json::object();
  for (std::size_t c = 0; c < classes.size(); ++c) numbers[classes[c]] = c;
  return numbers;
}

Json timm_config(const VitConfig& config, const Classifier& classifier) {
  const std::int64_t side = config.grid * config.patch;
  const std::size_t classes = classifier.is_in_model ? classifier.classes.size() : 0;
  const std::string pool = classifier.pooling == "mean" ? "avg" : "token";
  Json arguments = {
      {"img_size", side},
      {"patch_size", config.patch},
      {"embed_dim", config.width},
      {"depth", config.depth},
      {"num_heads", config.heads},
      {"mlp_ratio", static_cast<double>(config.mlp) / static_cast<double>(config.width)},
      {"qkv_bias", config.projection_bias},
      {"qk_norm", config.query_key_norm},
      {"class_token", config.class_token},
      {"no_embed_class", config.placed == 0},
      {"reg_tokens", config.registers},
      {"fc_norm", config.norm_after_pooling},
      {"global_pool", pool},
      {"num_classes", classes}};
  if (config.layer_scale) arguments["init_values"] = 1.0;
  return {{"architecture", "vit_base_patch16_224"},
          {"num_classes", classes},
          {"num_features", config.width},
          {"global_pool", pool},
          {"model_args", arguments},
          {"pretrained_cfg",
           {{"input_size", {3, side, side}},
            {"interpolation", config.interpolation},
            {"crop_pct", config.crop_share},
            {"mean", config.mean},
            {"std", config.deviation},
            {"num_classes", classes},
            {"pool_size", nullptr},
            {"first_conv", "patch_embed.proj"},
            {"classifier", "head"}}},
          {"label_names", classifier.classes}};
}

Json transformers_config(const VitConfig& config, const Classifier& classifier) {
  const bool dino = config.layer_scale;
  const std::string model = !dino ? "ViT" : config.registers > 0 ? "Dinov2WithRegisters" : "Dinov2";
  const std::string type = !dino                  ? "vit"
                           : config.registers > 0 ? "dinov2_with_registers"
                                                  : "dinov2";
  Json json = {
      {"architectures", {model + (classifier.is_in_model ? "ForImageClassification" : "Model")}},
      {"model_type", type},
      {"hidden_size", config.width},
      {"num_hidden_layers", config.depth},
      {"num_attention_heads", config.heads},
      {"hidden_act", "gelu"},
      {"layer_norm_eps", config.layer_norm_epsilon},
      {"image_size", config.grid * config.patch},
      {"patch_size", config.patch},
      {"num_channels", 3},
      {"qkv_bias", config.projection_bias},
      {"torch_dtype", "float32"},
      {"id2label", labels(classifier.classes)},
      {"label2id", class_numbers(classifier.classes)}};
  if (dino) {
    json["mlp_ratio"] = config.mlp / config.width;
  } else {
    json["intermediate_size"] = config.mlp;
  }
  if (config.registers > 0) json["num_register_tokens"] = config.registers;
  return json;
}

// The backbone's own, with the classes that it has now.
Json own_config(const VitConfig* vit, const Classifier& classifier,
                const std::filesystem::path& backbone_folder) {
  Json json = Json::parse(read_file(backbone_folder / "config.json"));
  if (json.contains("architecture")) {  // timm
    const std::size_t classes = classifier.is_in_model ? classifier.classes.size() : 0;
    json["num_classes"] = classes;
    json["label_names"] = classifier.classes;
    for (const char* const part : {"model_args", "pretrained_cfg"}) {
      if (json.contains(part)) json[part]["num_classes"] = classes;
    }
    // Some leave the side to the architecture's name, which means another.
    json["model_args"]["img_size"] = vit->grid * vit->patch;
    Json& prepared = json["pretrained_cfg"];
    prepared["mean"] = vit->mean;
    prepared["std"] = vit->deviation;
    prepared["interpolation"] = vit->interpolation;
    prepared["crop_pct"] = vit->crop_share;
    return json;
  }
  for (const char* const key : {"torch_dtype", "dtype"}) {
    if (json.contains(key)) json[key] = "float32";
  }
  return json;
}

// With the colours, interpolation and crop that the run's images went through.
VitConfig as_prepared(const ExportSource& source, VitConfig config) {
  const std::string image = recorded_setting(source, "image-transform", "");
  if (key_in(image, "normalisation") == "none") {
    config.mean = {0, 0, 0};
    config.deviation = {1, 1, 1};
  }
  const std::string interpolation = key_in(image, "interpolation");
  if (!interpolation.empty() && interpolation != "auto") config.interpolation = interpolation;
  const std::string crop = key_in(image, "crop");
  if (!crop.empty() && crop != "0") config.crop_share = std::stod(crop);
  return config;
}

// Whether both sides of the run's images were resized, whatever their shape.
bool is_squashed(const ExportSource& source) {
  return key_in(recorded_setting(source, "image-transform", ""), "squash") == "true";
}

// timm's name for it.
void set_crop_mode(Json& config, bool squashed) {
  if (!config.contains("pretrained_cfg")) return;
  Json& prepared = config["pretrained_cfg"];
  if (squashed || prepared.contains("crop_mode"))
    prepared["crop_mode"] = squashed ? "squash" : "center";
}

Json preprocessor(const VitConfig& config, std::int64_t side, bool squashed) {
  const auto before =
      static_cast<std::int64_t>(static_cast<double>(side) / config.crop_share + 0.5);
  return {{"image_processor_type", "BitImageProcessor"},
          {"do_resize", true},
          {"size", squashed ? Json{{"height", before}, {"width", before}}
                            : Json{{"shortest_edge", before}}},
          {"do_center_crop", true},
          {"crop_size", {{"height", side}, {"width", side}}},
          {"resample", config.interpolation == "bilinear" ? 2 : 3},
          {"do_rescale", true},
          {"rescale_factor", 1 / 255.0},
          {"do_normalize", true},
          {"do_convert_rgb", true},
          {"image_mean", config.mean},
          {"image_std", config.deviation}};
}

// Of the images that the exported model is given. DINOv2 of transformers resizes its position
// embeddings, so that they may be as the run's; other models take the size that they were
// pretrained with alone.
std::int64_t image_side(const ExportSource& source, const VitConfig& config) {
  const std::string size = key_in(recorded_setting(source, "image-transform", ""), "size");
  return config.layer_scale && !size.empty() ? std::stoll(size) : config.grid * config.patch;
}

bool has_preprocessor(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "preprocessor_config.json");
}

Json heads_json(const ExportSource& source, const BackboneConfig& backbone,
                const Classifier& classifier) {
  Json json = {{"exported", source.description}, {"heads", classifier.where},
               {"kind", classifier.kind},        {"scale", classifier.scale},
               {"pooling", classifier.pooling},  {"classes_by_task", source.classes}};
  if (takes_texts(backbone)) return json;
  const std::string image = recorded_setting(source, "image-transform", "");
  for (const auto& [name, key] : {std::pair("image-size", "size"),
                                  {"normalisation", "normalisation"},
                                  {"interpolation", "interpolation"},
                                  {"crop-share", "crop"},
                                  {"squash", "squash"}}) {
    const std::string value = key_in(image, key);
    if (value.empty()) continue;
    const Json parsed = Json::parse(value, nullptr, /*allow_exceptions=*/false);
    json[name] = parsed.is_number() || parsed.is_boolean() ? parsed : Json(value);
  }
  return json;
}

void write_json(const std::filesystem::path& path, const Json& json) {
  write_file_atomically(path, json.dump(2) + "\n");
}

}  // namespace

void check_expressible(const VitConfig& config, Dialect dialect) {
  const auto refuse = [](const auto&... reason) {
    throw UsageError(concat(reason..., "; --dialect own writes the backbone as its files have it"));
  };
  if (dialect == Dialect::kOwn) return;
  if (config.swiglu) refuse("a gated MLP has other names and shapes from program to program");
  if (dialect == Dialect::kTimm) {
    if (config.layer_norm_epsilon != kTimmEpsilon) {
      refuse("timm's vision transformers have a LayerNorm epsilon of ", kTimmEpsilon,
             ", this backbone ", config.layer_norm_epsilon);
    }
    if (config.placed != 0 && config.placed != config.prefix()) {
      refuse("timm has position embeddings for all tokens before the patches or for none, this ",
             "backbone for ", config.placed, " of ", config.prefix());
    }
    return;
  }
  if (!config.class_token || config.placed != 1) {
    refuse("transformers' models have a class token, and a position embedding for it alone");
  }
  if (config.layer_scale && config.mlp % config.width != 0) {
    refuse("DINOv2 of transformers has an MLP of a whole multiple of the width");
  }
  if (config.norm_after_pooling) {
    refuse("transformers' models have their last norm before the pooling");
  }
}

void write_model_configs(const ExportSource& source, const BackboneConfig& backbone,
                         Dialect dialect, const Classifier& classifier,
                         const std::filesystem::path& backbone_folder,
                         const std::filesystem::path& folder) {
  std::optional<VitConfig> vit;
  if (const auto* const config = std::get_if<VitConfig>(&backbone))
    vit = as_prepared(source, *config);
  const bool squashed = is_squashed(source);
  Json config = dialect == Dialect::kOwn
                    ? own_config(vit ? &*vit : nullptr, classifier, backbone_folder)
                : dialect == Dialect::kTimm ? timm_config(*vit, classifier)
                                            : transformers_config(*vit, classifier);
  set_crop_mode(config, squashed);
  write_json(folder / "config.json", config);
  const std::filesystem::path prepared = folder / "preprocessor_config.json";
  const bool is_timm =
      dialect == Dialect::kTimm || (dialect == Dialect::kOwn && !has_preprocessor(backbone_folder));
  if (vit && !is_timm &&
      (!std::filesystem::exists(prepared) || squashed || vit->layer_scale ||
       *vit != std::get<VitConfig>(backbone)))
    write_json(prepared, preprocessor(*vit, image_side(source, *vit), squashed));
  write_json(folder / "heads.json", heads_json(source, backbone, classifier));
}

}  // namespace palimpsest
