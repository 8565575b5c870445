#pragma once
// Merged weights as a whole model, that timm or transformers open.
#include <filesystem>
#include <string>

#include "palimpsest/export/dialect.h"
#include "palimpsest/export/source.h"
#include "palimpsest/format/backbone_config.h"

namespace palimpsest {

// Writes model.safetensors (float32: the backbone's weights plus the merged difference),
// config.json and what else is in the backbone's folder (tokenizer, preprocessor) into `folder`.
// Where the program has a classifier on the same features, it takes the heads of all tasks, side by
// side; else they are in heads.safetensors (weight, bias). heads.json names the classes either way.
// A classifier that isn't linear is in classifier.safetensors, and its recipe in classifier.json.
// Returns as text where the heads are. Throws UsageError where the dialect has no such model.
std::string export_model(const ExportSource& source, const BackboneConfig& backbone,
                         const PretrainedWeights& weights, Dialect dialect,
                         const std::filesystem::path& backbone_folder,
                         const std::filesystem::path& folder);

}  // namespace palimpsest
