#pragma once
// How other programs name the tensors of a backbone.
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/format/backbone_config.h"

namespace palimpsest {

// kOwn: as the backbone's own files have them. The others are for vision transformers: timm;
// transformers 4 and 5.
enum class Dialect { kOwn, kTimm, kHf4, kHf5 };

// "own", "timm", "hf4" or "hf5"; throws UsageError otherwise.
Dialect parse_dialect(std::string_view name);

// A canonical tensor's name in a dialect other than kOwn, and which of `of` equal parts, by rows,
// it is of the tensor of that name.
struct WrittenName {
  std::string name;
  std::int64_t part = 0, of = 1;
};

// What all names begin with in a model with a classifier ("vit."); "" elsewhere.
std::string_view prefix_of(const VitConfig& config, Dialect dialect, bool with_classifier);

// prefix: as in a model with a classifier. `canonical`: as format's canonical_weights has them.
// Throws UsageError where that dialect has no model of this shape.
WrittenName written_name(const VitConfig& config, Dialect dialect, std::string_view canonical,
                         bool prefix);

// Every canonical tensor of a vision transformer with its shape, leading ones included.
struct CanonicalTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};
std::vector<CanonicalTensor> tensors_of(const VitConfig& config);

}  // namespace palimpsest
