#include "palimpsest/model/backbone.h"

#include <ATen/ATen.h>

#include "palimpsest/device/host_copy.h"
#include "palimpsest/format/canonical_weights.h"
#include "palimpsest/model/bert.h"
#include "palimpsest/model/vit.h"

namespace palimpsest {

BlockShape block_shape(const BackboneConfig& config) {
  return std::visit([](const auto& family) { return block_shape(family); }, config);
}

std::unique_ptr<Backbone> make_backbone(const Checkpoint& weights, const BackboneConfig& config,
                                        const BackboneChoice& choice, at::Device device) {
  const auto* bert = std::get_if<BertConfig>(&config);
  CanonicalWeights canonical(weights, bert != nullptr ? bert_spellings() : vit_spellings());
  const TensorLoader load = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    return from_host(canonical.floats(name, shape), shape, device);
  };
  std::unique_ptr<Backbone> model;
  if (bert != nullptr) {
    model = std::make_unique<Bert>(*bert, choice.targets, load, device);
  } else {
    model = std::make_unique<Vit>(std::get<VitConfig>(config), choice, load, device);
  }
  canonical.refuse_surplus();
  return model;
}

}  // namespace palimpsest
