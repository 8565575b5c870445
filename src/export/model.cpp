#include "palimpsest/export/model.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "classifier.h"
#include "model_config.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/canonical_weights.h"
#include "palimpsest/format/safetensors.h"
#include "palimpsest/merge/task_vector.h"
#include "recipe.h"

namespace palimpsest {
namespace {

// theta_hat - theta_hat_0 of one matrix; empty where it isn't adapted.
std::span<const float> merged_difference(const ExportSource& source, std::string_view tensor) {
  for (const AdaptedModule& module : source.layout.modules()) {
    if (tensor != module.name + ".weight") continue;
    return std::span(source.weights)
        .subspan(static_cast<std::size_t>(module.offset), static_cast<std::size_t>(module.size()));
  }
  return {};
}

std::vector<float> read(CanonicalWeights& canonical, const ExportSource& source,
                        const CanonicalTensor& tensor) {
  std::vector<float> values;
  for (const TensorView& piece : canonical.pieces(tensor.name, tensor.shape)) {
    const std::vector<float> part = to_floats(piece);
    values.insert(values.end(), part.begin(), part.end());
  }
  const std::span<const float> difference = merged_difference(source, tensor.name);
  if (!difference.empty()) add_scaled(values, 1, difference);
  return values;
}

// A classifier that the backbone was pretrained with; it knows other classes. A decoder's output
// layer is part of the model.
bool is_other_head(std::string_view name, const BackboneConfig& backbone) {
  if (std::holds_alternative<LlamaConfig>(backbone)) return name.starts_with("score.");
  for (const std::string_view prefix : {"", "vit.", "dinov2.", "bert.", "roberta."}) {
    for (const std::string_view head :
         {"head.", "head_dist.", "classifier.", "cls.", "lm_head.", "qa_outputs."}) {
      if (name.starts_with(concat(prefix, head))) return true;
    }
  }
  return false;
}

// The tensors of the backbone's own files, with the difference added where it belongs.
std::vector<TensorToWrite> own_tensors(const ExportSource& source, const BackboneConfig& backbone,
                                       const PretrainedWeights& weights) {
  struct Change {
    std::int64_t part = 0, of = 1;
    std::span<const float> difference;
  };
  std::map<std::string, std::vector<Change>> changes;
  for (const AdaptedModule& module : source.layout.modules()) {
    const std::string name = module.name + ".weight";
    const std::span<const float> difference = merged_difference(source, name);
    const CanonicalWeights::Place place = own_place(weights, backbone, module.name);
    const std::size_t size = difference.size() / place.tensors.size();
    for (std::size_t i = 0; i < place.tensors.size(); ++i) {
      changes[place.tensors[i]].push_back(
          {place.part, place.of, difference.subspan(i * size, size)});
    }
  }
  std::vector<TensorToWrite> tensors;
  for (const std::string& name : weights.names()) {
    const TensorView& view = weights.tensor(name);
    if (!is_float(view) || is_other_head(name, backbone)) continue;
    tensors.push_back({name, view.shape, [&view, change = changes[name]] {
                         std::vector<float> values = to_floats(view);
                         const std::span<float> all(values);
                         for (const Change& c : change) {
                           const std::size_t size = values.size() / static_cast<std::size_t>(c.of);
                           add_scaled(all.subspan(size * static_cast<std::size_t>(c.part), size), 1,
                                      c.difference);
                         }
                         return values;
                       }});
  }
  return tensors;
}

// The tensors of a vision transformer under the names of another program.
std::vector<TensorToWrite> translated_tensors(const ExportSource& source,
                                              CanonicalWeights& canonical, const VitConfig& config,
                                              Dialect dialect, bool prefix) {
  struct Written {
    std::vector<std::int64_t> shape;
    std::vector<CanonicalTensor> parts;  // one above the other
  };
  std::map<std::string, Written> written;
  for (const CanonicalTensor& tensor : vit_tensors(config)) {
    const WrittenName name = written_name(config, dialect, tensor.name, prefix);
    Written& whole = written[name.name];
    whole.shape = tensor.shape;
    whole.shape.front() *= name.of;
    whole.parts.push_back(tensor);  // query, key and value come in their order
  }
  for (const AdaptedModule& module : source.layout.modules())
    canonical.find_place(module.name + ".weight");  // throws for what isn't canonical
  std::vector<TensorToWrite> tensors;
  if (config.layer_scale &&
      dialect != Dialect::kTimm) {  // of pretraining; transformers requires it
    tensors.push_back(
        {concat(name_prefix(config, dialect, prefix), "embeddings.mask_token"),
         {1, config.width},
         [width = config.width] { return std::vector<float>(static_cast<std::size_t>(width)); }});
  }
  for (const auto& [name, whole] : written) {
    tensors.push_back({name, whole.shape, [&source, &canonical, parts = whole.parts] {
                         std::vector<float> values;
                         for (const CanonicalTensor& part : parts) {
                           const std::vector<float> more = read(canonical, source, part);
                           values.insert(values.end(), more.begin(), more.end());
                         }
                         return values;
                       }});
  }
  return tensors;
}

// Tokenizer, preprocessor and the like; neither weights nor the description of the model.
void copy_companions(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    const std::filesystem::path& path = entry.path();
    const std::string name = path.filename().string();
    const bool is_weights = name.starts_with("model.safetensors") || name.starts_with("model-") ||
                            path.extension() == ".bin" || path.extension() == ".safetensors";
    const bool is_text =
        path.extension() == ".json" || path.extension() == ".txt" || path.extension() == ".model";
    if (!entry.is_regular_file() || is_weights || !is_text || name == "config.json") continue;
    std::filesystem::copy_file(path, to / name, std::filesystem::copy_options::overwrite_existing);
  }
}

}  // namespace

std::string export_model(const ExportSource& source, const BackboneConfig& backbone,
                         const PretrainedWeights& weights, Dialect dialect,
                         const std::filesystem::path& backbone_folder,
                         const std::filesystem::path& folder) {
  CanonicalWeights canonical(weights, find_spellings(backbone));
  const auto* const vit = std::get_if<VitConfig>(&backbone);
  if (vit == nullptr && dialect != Dialect::kOwn) {
    throw UsageError(
        "--dialect timm, hf4 and hf5 are ways to name a vision transformer's tensors; a text model "
        "has one, which --dialect own writes");
  }
  if (vit != nullptr) check_expressible(*vit, dialect);
  const bool to_itself = dialect == Dialect::kOwn;
  const Classifier classifier = make_classifier(source, backbone, weights, dialect);
  std::vector<TensorToWrite> tensors =
      to_itself ? own_tensors(source, backbone, weights)
                : translated_tensors(source, canonical, *vit, dialect, classifier.is_in_model);
  if (classifier.is_in_model) replace_classifier(classifier, tensors);
  write_safetensors(folder / "model.safetensors", std::move(tensors));
  if (!classifier.is_in_model) write_safetensors(folder / "heads.safetensors", classifier.tensors);
  copy_companions(backbone_folder, folder);
  write_model_configs(source, backbone, dialect, classifier, backbone_folder, folder);
  if (source.nonlinear.empty()) return classifier.where;
  write_recipe(source, folder);
  return classifier.where + "; classifier.safetensors, with its recipe in classifier.json";
}

}  // namespace palimpsest
