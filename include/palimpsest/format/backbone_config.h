#pragma once
// The shape of a backbone, whatever its family.
#include <filesystem>
#include <string>
#include <variant>

#include "palimpsest/format/bert_config.h"
#include "palimpsest/format/checkpoint.h"
#include "palimpsest/format/vit_config.h"

namespace palimpsest {

using BackboneConfig = std::variant<BertConfig, VitConfig>;

// From config.json in `folder`, as transformers or timm write it. Throws InputError for a family or
// an option that isn't supported, a field that says otherwise than the tensors, and for impossible
// sizes. Fields that aren't known are left aside: remark_on_config() names them.
BackboneConfig read_backbone_config(const std::filesystem::path& folder, const Checkpoint& weights);

// Of a vision transformer; what config.json doesn't say is read off the shapes of the tensors.
// preprocessor_config.json is read where there is one (transformers).
VitConfig read_vit_config(const std::filesystem::path& folder, const Checkpoint& weights);

// The fields of config.json that are set and not known, in one sentence; "" where there are none.
std::string remark_on_config(const std::filesystem::path& folder);

// All of it as one line: equal lines, equal models (except for the weights).
std::string describe(const BackboneConfig& config);

}  // namespace palimpsest
