#include "palimpsest/model/backbone.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <functional>

#include "palimpsest/core/error.h"
#include "palimpsest/device/host_copy.h"
#include "palimpsest/format/canonical_weights.h"
#include "palimpsest/model/bert.h"
#include "palimpsest/model/llama.h"
#include "palimpsest/model/recompute.h"
#include "palimpsest/model/vit.h"

namespace palimpsest {
namespace {

// Of a whole float32 tensor, where the processor can read it in place.
bool can_be_viewed(const TensorView& piece) {
  return piece.dtype == "F32" &&
         reinterpret_cast<std::uintptr_t>(piece.bytes.data()) % alignof(float) == 0;
}

at::Tensor to_tensor(const TensorView& piece, at::Device device) {
  if (!device.is_cpu() || !can_be_viewed(piece)) {
    return from_host(to_floats(piece), piece.shape, device);
  }
  // The mapping is read-only; nothing writes to a loaded tensor.
  return at::from_blob(const_cast<std::byte*>(piece.bytes.data()), piece.shape, at::kFloat);
}

// On the CPU a tensor that lies in its file as float32 is a view of the mapped file: nothing is
// read before it is used, and all ranks of a node share the pages.
TensorLoader weight_loader(CanonicalWeights& weights, at::Device device) {
  return [&weights, device](const std::string& name, const std::vector<std::int64_t>& shape) {
    std::vector<at::Tensor> pieces;
    for (const TensorView& piece : weights.pieces(name, shape)) {
      pieces.push_back(to_tensor(piece, device));
    }
    const at::Tensor whole = pieces.size() == 1 ? pieces.front() : at::cat(pieces);
    return whole.view(shape);
  };
}

}  // namespace

BlockShape block_shape(const BackboneConfig& config) {
  return std::visit([](const auto& family) { return block_shape(family); }, config);
}

at::Tensor Backbone::begin_decoding(const Batch&, DecodingCache&) const {
  throw Error("an encoder doesn't continue texts");
}

at::Tensor Backbone::decode(const at::Tensor&, DecodingCache&) const {
  throw Error("an encoder doesn't continue texts");
}

AdapterOptions Backbone::by_rows(AdapterOptions use, const Batch& batch) const {
  if (!use.c.defined() || use.c.dim() == 0) return use;
  const std::vector<std::int64_t> lengths = tokens(batch);
  if (std::ranges::adjacent_find(lengths, std::not_equal_to()) == lengths.end()) {
    use.rows_c = use.c.unsqueeze(1).expand({-1, lengths.front()}).reshape({-1, 1});
  } else {  // never on a device, where texts are filled up
    use.rows_c = use.c.repeat_interleave(at::tensor(lengths, at::kLong)).unsqueeze(1);
  }
  return use;
}

at::Tensor Backbone::through_blocks(at::Tensor x, const AdapterOptions& use,
                                    const BlockFunction& block) const {
  // A tap has no trained factor to begin the graph at.
  if (use.tap != nullptr) x.requires_grad_(true);
  const bool gradients = (use.lora != nullptr || use.tap != nullptr) && c10::GradMode::is_enabled();
  for (std::size_t b = 0; b < layers_.blocks().size(); ++b) {
    if (!recompute_ || !gradients) {
      x = block(b, x);
      continue;
    }
    std::vector<at::Tensor> factors;
    if (use.lora != nullptr) factors = layers_.blocks()[b].factors(*use.lora);
    x = recomputed([block, b](const at::Tensor& input) { return block(b, input); }, x, factors);
  }
  return x;
}

std::unique_ptr<Backbone> make_backbone(const PretrainedWeights& weights,
                                        const BackboneConfig& config, const BackboneChoice& choice,
                                        at::Device device) {
  CanonicalWeights canonical(weights, find_spellings(config));
  const TensorLoader load = weight_loader(canonical, device);
  std::unique_ptr<Backbone> model;
  if (const auto* bert = std::get_if<BertConfig>(&config)) {
    model = std::make_unique<Bert>(*bert, choice, load, device);
  } else if (const auto* llama = std::get_if<LlamaConfig>(&config)) {
    model = std::make_unique<Llama>(*llama, choice, load, device);
  } else {
    model = std::make_unique<Vit>(std::get<VitConfig>(config), choice, load, device);
  }
  canonical.refuse_surplus();
  weights.forget_pages();  // of what was copied; views read theirs again
  return model;
}

}  // namespace palimpsest
