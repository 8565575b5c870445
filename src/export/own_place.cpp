#include "own_place.h"

#include "palimpsest/core/text.h"

namespace palimpsest {

CanonicalWeights::Place own_place(const Checkpoint& weights, const BackboneConfig& backbone,
                                  const std::string& module) {
  const Spellings& spellings = spellings_of(backbone);
  const CanonicalWeights canonical(weights, spellings);
  const std::string name = module + ".weight";
  if (canonical.contains(name)) return canonical.place_of(name);
  for (const std::string_view prefix : spellings.prefixes) {  // the first is none
    const std::string longer = concat(prefix, name);
    if (weights.contains(longer)) return {.tensors = {longer}};
    const std::string shorter = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    if (weights.contains(shorter)) return {.tensors = {shorter}};
  }
  return canonical.place_of(name);  // throws
}

}  // namespace palimpsest
