#pragma once
// config.json beside exported weights, and what else says how to use them.
#include <filesystem>

#include "classifier.h"
#include "palimpsest/export/dialect.h"
#include "palimpsest/export/source.h"

namespace palimpsest {

// Throws UsageError where the other program's configuration can't describe this shape.
void check_expressible(const VitConfig& config, Dialect dialect);

// config.json, heads.json and, for transformers, preprocessor_config.json, with what the run did to
// its images.
void write_model_configs(const ExportSource& source, const BackboneConfig& backbone,
                         Dialect dialect, const Classifier& classifier,
                         const std::filesystem::path& backbone_folder,
                         const std::filesystem::path& folder);

}  // namespace palimpsest
