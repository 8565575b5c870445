#pragma once
// How other programs name the tensors of a backbone.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/choice.h"
#include "palimpsest/format/backbone_config.h"
#include "palimpsest/format/canonical_weights.h"

namespace palimpsest {

// kOwn: as the backbone's own files have them. The others are for vision transformers: timm;
// transformers 4 and 5.
enum class Dialect { kOwn, kTimm, kHf4, kHf5 };
constexpr auto choices(Dialect) {
  return std::array<std::string_view, 4>{"own", "timm", "hf4", "hf5"};
}

// A canonical tensor's name in a dialect other than kOwn, and which of `of` equal parts, by rows,
// it is of the tensor of that name.
struct WrittenName {
  std::string name;
  std::int64_t part = 0, of = 1;
};

// What all names begin with in a model with a classifier ("vit."); "" elsewhere.
std::string_view name_prefix(const VitConfig& config, Dialect dialect, bool with_classifier);

// prefix: as in a model with a classifier. `canonical`: as format's canonical_weights has them.
// Throws UsageError where that dialect has no model of this shape.
WrittenName written_name(const VitConfig& config, Dialect dialect, std::string_view canonical,
                         bool prefix);

// Every canonical tensor of a vision transformer with its shape, leading ones included.
struct CanonicalTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};
std::vector<CanonicalTensor> vit_tensors(const VitConfig& config);

// Where the weights of a module lie in the backbone's own files. `module`: by its canonical name,
// as runs have it, or as peft found it in the model, with or without the model's own prefix
// ("vit."). Throws InputError when there is none.
CanonicalWeights::Place own_place(const PretrainedWeights& weights, const BackboneConfig& backbone,
                                  const std::string& module);

}  // namespace palimpsest
