#pragma once
// Where the weights of a module lie in the backbone's own files.
#include <string>

#include "palimpsest/format/canonical_weights.h"

namespace palimpsest {

// `module`: by its canonical name, as runs have it, or as peft found it in the model, with or
// without the model's own prefix ("vit."). Throws InputError when there is none.
CanonicalWeights::Place own_place(const Checkpoint& weights, const BackboneConfig& backbone,
                                  const std::string& module);

}  // namespace palimpsest
