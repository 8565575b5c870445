#include "palimpsest/export/dialect.h"

#include <algorithm>
#include <array>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// One part of a name, as timm, transformers' ViT (4 and 5) and DINOv2 (4 and 5) write it.
struct Row {
  std::string_view canonical, timm, vit4, vit5, dino4, dino5;
};

constexpr std::array kRows = {
    Row{"class_token", "cls_token", "embeddings.cls_token", "embeddings.cls_token",
        "embeddings.cls_token", "embeddings.cls_token"},
    Row{"registers", "reg_token", "", "", "embeddings.register_tokens",
        "embeddings.register_tokens"},
    Row{"positions", "pos_embed", "embeddings.position_embeddings",
        "embeddings.position_embeddings", "embeddings.position_embeddings",
        "embeddings.position_embeddings"},
    Row{"patches", "patch_embed.proj", "embeddings.patch_embeddings.projection",
        "embeddings.patch_embeddings.projection", "embeddings.patch_embeddings.projection",
        "embeddings.patch_embeddings.projection"},
    Row{"norm", "norm", "layernorm", "layernorm", "layernorm", "layernorm"},
    Row{"norm1", "norm1", "layernorm_before", "layernorm_before", "norm1", "norm1"},
    Row{"norm2", "norm2", "layernorm_after", "layernorm_after", "norm2", "norm2"},
    Row{"attn.query", "attn.qkv", "attention.attention.query", "attention.q_proj",
        "attention.attention.query", "attention.q_proj"},
    Row{"attn.key", "attn.qkv", "attention.attention.key", "attention.k_proj",
        "attention.attention.key", "attention.k_proj"},
    Row{"attn.value", "attn.qkv", "attention.attention.value", "attention.v_proj",
        "attention.attention.value", "attention.v_proj"},
    Row{"attn.output", "attn.proj", "attention.output.dense", "attention.o_proj",
        "attention.output.dense", "attention.o_proj"},
    Row{"attn.query_norm", "attn.q_norm", "", "", "", ""},
    Row{"attn.key_norm", "attn.k_norm", "", "", "", ""},
    Row{"scale1", "ls1.gamma", "", "", "layer_scale1.lambda1", "layer_scale1.lambda1"},
    Row{"scale2", "ls2.gamma", "", "", "layer_scale2.lambda1", "layer_scale2.lambda1"},
    Row{"mlp.fc1", "mlp.fc1", "intermediate.dense", "mlp.fc1", "mlp.fc1", "mlp.fc1"},
    Row{"mlp.fc2", "mlp.fc2", "output.dense", "mlp.fc2", "mlp.fc2", "mlp.fc2"},
};

bool is_dino(const VitConfig& config) { return config.layer_scale; }

std::string_view column(const Row& row, Dialect dialect, bool dino) {
  switch (dialect) {
    case Dialect::kTimm:
      return row.timm;
    case Dialect::kHf4:
      return dino ? row.dino4 : row.vit4;
    case Dialect::kHf5:
      return dino ? row.dino5 : row.vit5;
    case Dialect::kOwn:
      break;
  }
  throw Error("the own dialect has no table of names");
}

std::string_view block_prefix(Dialect dialect, bool dino) {
  if (dialect == Dialect::kTimm) return "blocks.";
  return dialect == Dialect::kHf5 && !dino ? "layers." : "encoder.layer.";
}

}  // namespace

std::string_view name_prefix(const VitConfig& config, Dialect dialect, bool with_classifier) {
  if (!with_classifier || dialect == Dialect::kTimm) return "";
  if (!is_dino(config)) return "vit.";
  return config.registers > 0 ? "dinov2_with_registers." : "dinov2.";
}

WrittenName written_name(const VitConfig& config, Dialect dialect, std::string_view canonical,
                         bool prefix) {
  constexpr std::string_view kBlocks = "blocks.";
  std::string before(name_prefix(config, dialect, prefix));
  std::string_view part = canonical;
  if (canonical.starts_with(kBlocks)) {
    part.remove_prefix(kBlocks.size());
    const std::size_t number = part.find('.') + 1;
    before += concat(block_prefix(dialect, is_dino(config)), part.substr(0, number));
    part.remove_prefix(number);
  }
  std::string_view ending;
  for (const std::string_view candidate : {".weight", ".bias"}) {
    if (part.ends_with(candidate)) ending = candidate;
  }
  part.remove_suffix(ending.size());
  const auto row = std::ranges::find(kRows, part, &Row::canonical);
  const std::string_view written = row == kRows.end() ? "" : column(*row, dialect, is_dino(config));
  if (written.empty()) {
    throw UsageError(concat("that dialect has no model with a tensor ", canonical,
                            "; --dialect own writes it as the backbone's own files have it"));
  }
  WrittenName name{.name = concat(before, written, ending)};
  if (part == "norm" && dialect == Dialect::kTimm && config.norm_after_pooling) {
    name.name = concat("fc_norm", ending);
  }
  if (written == "attn.qkv") {
    name.of = 3;
    name.part = part == "attn.query" ? 0 : part == "attn.key" ? 1 : 2;
  }
  return name;
}

std::vector<CanonicalTensor> vit_tensors(const VitConfig& config) {
  const std::int64_t width = config.width;
  std::vector<CanonicalTensor> tensors;
  const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in,
                          bool bias = true) {
    tensors.push_back({name + ".weight", {out, in}});
    if (bias) tensors.push_back({name + ".bias", {out}});
  };
  const auto norm = [&](const std::string& name, std::int64_t size) {
    tensors.push_back({name + ".weight", {size}});
    tensors.push_back({name + ".bias", {size}});
  };
  if (config.class_token) tensors.push_back({"class_token", {1, 1, width}});
  if (config.registers > 0) tensors.push_back({"registers", {1, config.registers, width}});
  tensors.push_back({"positions", {1, config.placed + config.grid * config.grid, width}});
  tensors.push_back({"patches.weight", {width, 3, config.patch, config.patch}});
  tensors.push_back({"patches.bias", {width}});
  for (std::int64_t b = 0; b < config.depth; ++b) {
    const std::string block = concat("blocks.", b, ".");
    norm(block + "norm1", width);
    norm(block + "norm2", width);
    for (const char* const projection : {"attn.query", "attn.key", "attn.value"}) {
      linear(block + projection, width, width, config.projection_bias);
    }
    if (config.query_key_norm) {
      norm(block + "attn.query_norm", width / config.heads);
      norm(block + "attn.key_norm", width / config.heads);
    }
    linear(block + "attn.output", width, width);
    if (config.layer_scale) {
      tensors.push_back({block + "scale1", {width}});
      tensors.push_back({block + "scale2", {width}});
    }
    linear(block + "mlp.fc1", config.fc1_out(), width);
    linear(block + "mlp.fc2", width, config.mlp);
  }
  norm("norm", width);
  return tensors;
}
CanonicalWeights::Place own_place(const PretrainedWeights& weights, const BackboneConfig& backbone,
                                  const std::string& module) {
  const Spellings& spellings = find_spellings(backbone);
  const CanonicalWeights canonical(weights, spellings);
  const std::string name = module + ".weight";
  if (canonical.contains(name)) return canonical.find_place(name);
  for (const std::string_view prefix : spellings.prefixes) {  // the first is none
    const std::string longer = concat(prefix, name);
    if (weights.contains(longer)) return {.tensors = {longer}};
    const std::string shorter = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    if (weights.contains(shorter)) return {.tensors = {shorter}};
  }
  return canonical.find_place(name);  // throws
}

}  // namespace palimpsest
