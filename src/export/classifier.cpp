#include "classifier.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"

namespace palimpsest {
namespace {

std::string pooling_name(const ExportSource& source, const BackboneConfig& backbone) {
  if (std::holds_alternative<BertConfig>(backbone)) return "tokens";
  const std::string pooling = recorded_setting(source, "pooling", "auto");
  const auto* const vit = std::get_if<VitConfig>(&backbone);
  if (vit == nullptr) return pooling == "mean" ? "tokens" : "last token";
  if (pooling != "auto") return pooling;
  return vit->mean_pooling ? "mean" : "class";
}

// Features twice as wide: class token, then the mean over patches; one half is not looked at.
std::vector<float> widened(const Head& head, bool mean) {
  const auto width = static_cast<std::size_t>(head.features);
  std::vector<float> weight(2 * head.weight.size());
  for (std::size_t c = 0; c < static_cast<std::size_t>(head.classes); ++c) {
    std::copy_n(head.weight.begin() + static_cast<std::ptrdiff_t>(c * width), width,
                weight.begin() + static_cast<std::ptrdiff_t>(2 * c * width + (mean ? width : 0)));
  }
  return weight;
}

}  // namespace

std::string recorded_setting(const ExportSource& source, const char* key,
                             const std::string& otherwise) {
  const auto config = nlohmann::json::parse(source.config, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object() || !config.contains(key) || !config[key].is_string()) return otherwise;
  return config[key];
}

Classifier make_classifier(const ExportSource& source, const BackboneConfig& backbone,
                           const PretrainedWeights& weights, Dialect dialect) {
  const std::span<const Head> heads =
      heads_in_use(recorded_setting(source, "scenario", "class-incremental"), source.heads);
  Classifier classifier;
  classifier.pooling = pooling_name(source, backbone);
  const std::size_t first = source.classes.size() - heads.size();
  for (std::size_t t = first; t < source.classes.size(); ++t) {
    classifier.classes.insert(classifier.classes.end(), source.classes[t].begin(),
                              source.classes[t].end());
  }
  if (heads.empty()) {
    classifier.kind = recorded_setting(source, "head", classifier.kind);
    classifier.where = source.classes.empty() ? "none: the adapters brought no heads"
                                              : "none: the backbone's output layer answers";
    return classifier;
  }
  classifier.kind = heads.front().kind;
  classifier.scale = heads.front().scale;
  Head joint = joined(heads);
  const std::int64_t classes = joint.classes;
  std::int64_t width = joint.features;
  const auto* const vit = std::get_if<VitConfig>(&backbone);
  const bool linear = classifier.kind == Head().kind, mean = classifier.pooling == "mean";
  const bool is_timm = dialect == Dialect::kTimm ||
                       (dialect == Dialect::kOwn && vit != nullptr &&
                        (weights.contains("cls_token") || weights.contains("pos_embed")));
  std::string name;
  if (linear && is_timm) {
    name = "head";
    classifier.where = "head, timm's classifier";
  } else if (linear && vit != nullptr && dialect != Dialect::kOwn && vit->layer_scale) {
    name = "classifier";
    joint.weight = widened(joint, mean);
    width *= 2;
    classifier.where = "classifier, of Dinov2ForImageClassification (or ...WithRegisters...)";
  } else if (linear && vit != nullptr && dialect != Dialect::kOwn && !mean) {
    name = "classifier";
    classifier.where = "classifier, of ViTForImageClassification";
  }
  classifier.is_in_model = !name.empty();
  if (!classifier.is_in_model) {
    classifier.where = concat("heads.safetensors: ", classifier.kind, " on ",
                              classifier.pooling == "tokens"       ? "the mean over tokens"
                              : classifier.pooling == "last token" ? "the last token"
                              : mean                               ? "the mean over patches"
                                                                   : "the class token");
  }
  const std::string before = name.empty() ? "" : name + ".";
  classifier.tensors = {
      {before + "weight", {classes, width}, [values = joint.weight] { return values; }},
      {before + "bias", {classes}, [values = joint.bias] { return values; }}};
  return classifier;
}

void replace_classifier(const Classifier& classifier, std::vector<TensorToWrite>& tensors) {
  for (const TensorToWrite& part : classifier.tensors) {
    std::erase_if(tensors, [&](const TensorToWrite& tensor) { return tensor.name == part.name; });
    tensors.push_back(part);
  }
}

}  // namespace palimpsest
