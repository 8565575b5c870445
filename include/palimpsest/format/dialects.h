#pragma once
// One model, several spellings: how the tensor names of published checkpoints map to the canonical
// ones.
#include <string>
#include <string_view>

#include "palimpsest/format/safetensors.h"

namespace palimpsest {

// The file's name for a tensor of a BERT encoder. Canonical names are Hugging Face's without the
// prefix "bert.": "embeddings.LayerNorm.weight", "encoder.layer.0.attention.self.query.weight".
// Also found: "bert." in front, and LayerNorm.gamma and .beta for .weight and .bias. Other tensors
// of the file (pooler, position_ids, classifiers) do not matter. Throws InputError naming the file
// and the nearest name.
std::string find_bert_tensor(const SafetensorsFile& file, std::string_view canonical);

}  // namespace palimpsest
