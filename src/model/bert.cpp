#include "palimpsest/model/bert.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/dialects.h"

namespace palimpsest {
namespace {

// A setting's name for a matrix, and the module in a block of the checkpoint.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kTargets = {{
    {"query", "attention.self.query"},
    {"key", "attention.self.key"},
    {"value", "attention.self.value"},
    {"output", "attention.output.dense"},
    {"fc1", "intermediate.dense"},
    {"fc2", "output.dense"},
}};

std::string block_prefix(std::int64_t block) { return concat("encoder.layer.", block, "."); }

class Loader {
 public:
  Loader(const SafetensorsFile& file, at::Device device) : file_(file), device_(device) {}

  at::Tensor load(std::string_view canonical, const std::vector<std::int64_t>& shape) const {
    std::vector<float> values = file_.floats(find_bert_tensor(file_, canonical), shape);
    return at::from_blob(values.data(), shape)
        .to(device_, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  }

 private:
  const SafetensorsFile& file_;
  at::Device device_;
};

}  // namespace

AdaptedLayout adapted_layout(const BertConfig& config, std::span<const std::string> targets) {
  const std::int64_t hidden = config.hidden, intermediate = config.intermediate;
  std::vector<AdaptedModule> modules;
  for (const std::string& target : targets) {
    const auto known =
        std::ranges::find(kTargets, target, [](const auto& entry) { return entry.first; });
    if (known == kTargets.end()) {
      throw UsageError(
          concat("lora-targets: '", target,
                 "' is not a matrix of a block; use query, key, value, output, fc1, fc2"));
    }
    for (std::int64_t block = 0; block < config.layers; ++block) {
      modules.push_back({.name = block_prefix(block) + std::string(known->second),
                         .out = target == "fc1" ? intermediate : hidden,
                         .in = target == "fc2" ? intermediate : hidden});
    }
  }
  return AdaptedLayout(std::move(modules));
}

Bert::Bert(const SafetensorsFile& weights, const BertConfig& config,
           std::span<const std::string> targets, at::Device device)
    : config_(config), layout_(adapted_layout(config, targets)) {
  const Loader loader(weights, device);
  const std::int64_t hidden = config.hidden, intermediate = config.intermediate;
  const auto norm = [&](const std::string& name) {
    return LayerNorm{loader.load(name + ".weight", {hidden}),
                     loader.load(name + ".bias", {hidden})};
  };
  std::map<std::string_view, std::size_t> adapted;
  for (std::size_t m = 0; m < layout_.modules().size(); ++m) adapted[layout_.modules()[m].name] = m;

  // One layer out of `parts` that read the same input, stacked by rows.
  const auto linear = [&](const std::vector<std::string>& parts, std::int64_t out,
                          std::int64_t in) {
    std::vector<at::Tensor> stacked_weights, stacked_biases;
    std::vector<AdaptedLinear::Slot> slots;
    for (const std::string& part : parts) {
      if (const auto found = adapted.find(part); found != adapted.end()) {
        slots.push_back({.module = found->second, .row = std::ssize(stacked_weights) * out});
      }
      stacked_weights.push_back(loader.load(part + ".weight", {out, in}));
      stacked_biases.push_back(loader.load(part + ".bias", {out}));
    }
    AdaptedLinear layer(at::cat(stacked_weights), at::cat(stacked_biases), std::move(slots), out);
    if (std::optional<LoraGroup> group = layer.group()) groups_.push_back(std::move(*group));
    return layer;
  };

  word_embeddings_ = loader.load("embeddings.word_embeddings.weight", {config.vocabulary, hidden});
  position_embeddings_ =
      loader.load("embeddings.position_embeddings.weight", {config.positions, hidden});
  type_embedding_ =
      loader.load("embeddings.token_type_embeddings.weight", {config.type_vocabulary, hidden})[0]
          .clone();
  norm_embeddings_ = norm("embeddings.LayerNorm");
  for (std::int64_t b = 0; b < config.layers; ++b) {
    const std::string at = block_prefix(b);
    const std::string self = at + "attention.self.";
    blocks_.push_back(
        {.qkv = linear({self + "query", self + "key", self + "value"}, hidden, hidden),
         .output = linear({at + "attention.output.dense"}, hidden, hidden),
         .fc1 = linear({at + "intermediate.dense"}, intermediate, hidden),
         .fc2 = linear({at + "output.dense"}, hidden, intermediate),
         .norm_attention = norm(at + "attention.output.LayerNorm"),
         .norm_output = norm(at + "output.LayerNorm")});
  }
}

void Bert::set_difference(std::span<const float> difference) {
  for (Block& block : blocks_) {
    for (AdaptedLinear* layer : {&block.qkv, &block.output, &block.fc1, &block.fc2}) {
      layer->set_difference(difference, layout_);
    }
  }
}

void Bert::set_adapter(const Lora& lora, double c) {
  std::size_t group = 0;
  for (Block& block : blocks_) {
    for (AdaptedLinear* layer : {&block.qkv, &block.output, &block.fc1, &block.fc2}) {
      if (layer->is_adapted()) layer->set_adapter(lora.group(group++), c * lora.scale());
    }
  }
}

at::Tensor Bert::hidden_states(const TextInput& input, const Lora* lora, double c,
                               const GradientTap* tap) const {
  const auto layer_norm = [&](const at::Tensor& x, const LayerNorm& norm) {
    return at::layer_norm(x, {config_.hidden}, norm.weight, norm.bias, config_.layer_norm_epsilon);
  };
  std::size_t group = 0;
  const auto apply = [&](const AdaptedLinear& layer, const at::Tensor& x) {
    const bool adapted = lora != nullptr && layer.is_adapted();
    return layer.forward(x, adapted ? &lora->group(group++) : nullptr,
                         lora != nullptr ? c * lora->scale() : 1, tap);
  };

  at::Tensor x =
      layer_norm(at::embedding(word_embeddings_, input.ids) +
                     at::embedding(position_embeddings_, input.positions) + type_embedding_,
                 norm_embeddings_);
  if (tap != nullptr)
    x.requires_grad_(true);  // the tap has no trained factor to begin the graph at
  for (const Block& block : blocks_) {
    const at::Tensor attended = text_attention(apply(block.qkv, x), input, config_.heads);
    x = layer_norm(x + apply(block.output, attended), block.norm_attention);
    x = layer_norm(x + apply(block.fc2, at::gelu(apply(block.fc1, x))), block.norm_output);
  }
  return x;
}

at::Tensor Bert::features(const TextInput& input, const Lora* lora, double c,
                          const GradientTap* tap) const {
  return at::mm(input.pooling, hidden_states(input, lora, c, tap));
}

}  // namespace palimpsest
