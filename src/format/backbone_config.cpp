#include "palimpsest/format/backbone_config.h"

#include "json_fields.h"
#include "model_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::string line(const BertConfig& c) {
  return concat("bert ", c.hidden, ' ', c.layers, ' ', c.heads, ' ', c.intermediate, ' ',
                c.vocabulary, ' ', c.positions, ' ', c.first_position, ' ', c.type_vocabulary, ' ',
                c.layer_norm_epsilon, ' ', c.hidden_act);
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

}  // namespace

BackboneConfig read_backbone_config(const std::filesystem::path& folder,
                                    const Checkpoint& weights) {
  const std::filesystem::path path = folder / "config.json";
  if (!std::filesystem::exists(path)) {
    throw InputError(concat(folder.string(),
                            ": expected config.json beside the weights, as transformers and timm "
                            "write it, found none"));
  }
  const nlohmann::json json = read_json_object(path);
  const JsonObject top{json, path};
  check_model_fields(top);
  if (top.has("architecture")) return read_vit_config(folder, weights);  // timm
  const std::string family = top.text("model_type");
  if (family == "vit" || family.starts_with("dinov2")) return read_vit_config(folder, weights);
  if (family == "bert" || family == "roberta" || family == "xlm-roberta" || family == "camembert") {
    return read_bert_config(path);
  }
  top.refuse("model_type",
             "bert, roberta, xlm-roberta, camembert, vit, dinov2 or dinov2_with_registers");
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

}  // namespace palimpsest
