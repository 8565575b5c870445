#include "palimpsest/format/canonical_weights.h"

#include <algorithm>

#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::vector<std::int64_t> without_leading_ones(std::span<const std::int64_t> shape) {
  while (shape.size() > 1 && shape.front() == 1) shape = shape.subspan(1);
  return {shape.begin(), shape.end()};
}

// A canonical name taken apart.
struct Name {
  std::string_view block;   // "3." inside a block, else empty
  std::string_view part;    // "attn.query"
  std::string_view ending;  // ".weight", ".bias" or none
};

Name take_apart(std::string_view canonical, const Spellings& spellings) {
  Name name{.block = {}, .part = canonical, .ending = {}};
  if (canonical.starts_with(spellings.block)) {
    const std::string_view rest = canonical.substr(spellings.block.size());
    const std::size_t number = rest.find('.') + 1;
    name.block = rest.substr(0, number);
    name.part = rest.substr(number);
  }
  for (const std::string_view ending : {".weight", ".bias"}) {
    if (name.part.ends_with(ending)) {
      name.part.remove_suffix(ending.size());
      name.ending = ending;
    }
  }
  return name;
}

// Checkpoints older than LayerNorm.weight and LayerNorm.bias say gamma and beta.
std::string_view old_ending(std::string_view part, std::string_view ending) {
  if (!part.ends_with("LayerNorm")) return ending;
  return ending == ".weight" ? ".gamma" : ".beta";
}

Spellings::Part part(std::string_view canonical, std::initializer_list<std::string_view> written) {
  Spellings::Part part{.canonical = canonical, .written = {}};
  for (const std::string_view name : written)
    part.written.push_back({.tensors = {std::string(name)}});
  return part;
}

// As BERT has it, or as MPNet has it.
Spellings::Part or_mpnet(std::string_view bert, std::string_view mpnet) {
  return part(bert, {bert, mpnet});
}

// Query, key or value: timm keeps the three of them in one tensor.
Spellings::Part projection(std::string_view canonical, std::int64_t position,
                           std::initializer_list<std::string_view> written) {
  Spellings::Part made = part(canonical, written);
  made.written.push_back({.tensors = {"attn.qkv"}, .part = position, .of = 3});
  return made;
}

// Where the MLP is gated, some keep the gate and what it gates apart.
Spellings::Part first_layer() {
  Spellings::Part made = part("mlp.fc1", {"mlp.fc1", "mlp.weights_in", "intermediate.dense"});
  made.written.push_back({.tensors = {"mlp.gate_proj", "mlp.up_proj"}});
  made.written.push_back({.tensors = {"mlp.fc1_g", "mlp.fc1_x"}});
  return made;
}

}  // namespace

const Spellings& bert_spellings() {
  static const Spellings spellings{
      .prefixes = {"", "bert.", "roberta.", "mpnet."},
      .block = "encoder.layer.",
      .blocks = {"encoder.layer."},
      .parts = {or_mpnet("attention.self.query", "attention.attn.q"),
                or_mpnet("attention.self.key", "attention.attn.k"),
                or_mpnet("attention.self.value", "attention.attn.v"),
                or_mpnet("attention.output.dense", "attention.attn.o"),
                or_mpnet("attention.output.LayerNorm", "attention.LayerNorm")},
      .ignored = {"pooler.", "cls.", "lm_head.", "classifier.", "qa_outputs.",
                  "embeddings.position_ids"}};
  return spellings;
}

const Spellings& vit_spellings() {
  static const Spellings spellings{
      .prefixes = {"", "vit.", "dinov2.", "dinov2_with_registers."},
      .block = "blocks.",
      .blocks = {"blocks.", "encoder.layer.", "layers."},
      .parts = {part("class_token", {"cls_token", "embeddings.cls_token"}),
                part("registers", {"reg_token", "embeddings.register_tokens"}),
                part("positions", {"pos_embed", "embeddings.position_embeddings"}),
                part("patches", {"patch_embed.proj", "embeddings.patch_embeddings.projection"}),
                part("norm", {"norm", "fc_norm", "layernorm"}),
                part("norm1", {"norm1", "layernorm_before"}),
                part("norm2", {"norm2", "layernorm_after"}),
                projection("attn.query", 0, {"attention.attention.query", "attention.q_proj"}),
                projection("attn.key", 1, {"attention.attention.key", "attention.k_proj"}),
                projection("attn.value", 2, {"attention.attention.value", "attention.v_proj"}),
                part("attn.output", {"attn.proj", "attention.output.dense", "attention.o_proj"}),
                part("attn.query_norm", {"attn.q_norm"}), part("attn.key_norm", {"attn.k_norm"}),
                part("scale1", {"ls1.gamma", "layer_scale1.lambda1"}),
                part("scale2", {"ls2.gamma", "layer_scale2.lambda1"}), first_layer(),
                part("mlp.fc2", {"mlp.fc2", "mlp.weights_out", "mlp.down_proj", "output.dense"})},
      .ignored = {"head.", "head_dist.", "classifier.", "pooler.", "embeddings.mask_token"}};
  return spellings;
}

const Spellings& llama_spellings() {
  static const Spellings spellings{.prefixes = {"", "model."},
                                   .block = "layers.",
                                   .blocks = {"layers."},
                                   .parts = {},
                                   .ignored = {"lm_head.", "score."}};
  return spellings;
}

const Spellings& find_spellings(const BackboneConfig& config) {
  if (std::holds_alternative<LlamaConfig>(config)) return llama_spellings();
  return std::holds_alternative<BertConfig>(config) ? bert_spellings() : vit_spellings();
}

std::vector<CanonicalWeights::Place> CanonicalWeights::spelled(std::string_view canonical) const {
  const Name name = take_apart(canonical, spellings_);
  const auto listed = std::ranges::find(spellings_.parts, name.part, &Spellings::Part::canonical);
  const std::vector<Place> as_it_is{{.tensors = {std::string(name.part)}}};
  const std::vector<std::string_view> outside{""};
  std::vector<Place> places;
  for (const std::string_view prefix : spellings_.prefixes) {
    for (const std::string_view block : name.block.empty() ? outside : spellings_.blocks) {
      for (const auto& written : listed == spellings_.parts.end() ? as_it_is : listed->written) {
        for (const std::string_view ending : {name.ending, old_ending(name.part, name.ending)}) {
          Place& place = places.emplace_back(written);
          for (std::string& tensor : place.tensors)
            tensor = concat(prefix, block, name.block, tensor, ending);
        }
      }
    }
  }
  return places;
}

std::optional<CanonicalWeights::Place> CanonicalWeights::find(std::string_view canonical) const {
  for (Place& place : spelled(canonical)) {
    if (checkpoint_.contains(place.tensors.front())) return std::move(place);
  }
  return std::nullopt;
}

CanonicalWeights::Place CanonicalWeights::find_place(std::string_view canonical) const {
  if (std::optional<Place> place = find(canonical)) return *std::move(place);
  refuse_missing(canonical);
}

void CanonicalWeights::refuse_missing(std::string_view canonical) const {
  constexpr std::size_t kListed = 3;  // of the ways to spell a name
  std::string likeliest, all;
  std::size_t smallest = canonical.size();
  std::set<std::string> listed;
  for (const Place& place : spelled(canonical)) {
    const std::string& name = place.tensors.front();
    for (const std::string& known : checkpoint_.names()) {
      const std::size_t distance = edit_distance(name, known);
      if (distance >= smallest) continue;
      smallest = distance;
      likeliest = name;
    }
    if (listed.size() < kListed && listed.insert(name).second)
      all += concat(all.empty() ? "" : " or ", name);
  }
  if (smallest <= likeliest.size() / 3) checkpoint_.tensor(likeliest);  // throws
  checkpoint_.refuse_missing(all);
}

std::string CanonicalWeights::name_in_file(std::string_view canonical) const {
  std::string names;
  for (const std::string& name : find_place(canonical).tensors)
    names += concat(names.empty() ? "" : " and ", checkpoint_.name_in_file(name));
  return names;
}

std::vector<std::int64_t> CanonicalWeights::shape(std::string_view canonical) const {
  const Place place = find_place(canonical);
  std::vector<std::int64_t> shape =
      without_leading_ones(checkpoint_.tensor(place.tensors.front()).shape);
  if (!shape.empty()) shape.front() = shape.front() * std::ssize(place.tensors) / place.of;
  return shape;
}

std::vector<TensorView> CanonicalWeights::pieces(std::string_view canonical,
                                                 std::span<const std::int64_t> shape) {
  const Place place = find_place(canonical);
  std::vector<std::int64_t> stored(shape.begin(), shape.end());
  stored.front() = stored.front() * place.of / std::ssize(place.tensors);
  std::vector<TensorView> pieces;
  for (const std::string& name : place.tensors) {
    const std::vector<std::int64_t>& found = checkpoint_.tensor(name).shape;
    const bool fits = without_leading_ones(found) == without_leading_ones(stored);
    TensorView piece = checkpoint_.float_tensor(name, fits ? found : stored);
    const std::size_t size = piece.bytes.size() / static_cast<std::size_t>(place.of);
    piece.bytes = piece.bytes.subspan(size * static_cast<std::size_t>(place.part), size);
    piece.shape = stored;
    piece.shape.front() /= place.of;
    pieces.push_back(std::move(piece));
    read_.insert(name);
  }
  return pieces;
}

void CanonicalWeights::refuse_surplus() const {
  const auto is_beside = [&](const std::string& name) {
    return std::ranges::any_of(spellings_.prefixes, [&](std::string_view prefix) {
      return std::ranges::any_of(spellings_.ignored, [&](std::string_view beginning) {
        return name.starts_with(concat(prefix, beginning));
      });
    });
  };
  for (const std::string& name : checkpoint_.names()) {
    const std::string& dtype = checkpoint_.tensor(name).dtype;
    const bool is_buffer = dtype == "BOOL" || dtype[0] == 'I' || dtype[0] == 'U' ||
                           name.ends_with("rotary_emb.inv_freq");  // older Llamas; in config.json
    if (read_.contains(name) || is_beside(name) || is_buffer) continue;
    throw InputError(concat(checkpoint_.path().string(), ": a tensor ",
                            checkpoint_.name_in_file(name), " (", dtype,
                            ") that this backbone has no place for: the model does something that "
                            "Palimpsest does not, or its config.json is another's"));
  }
}

}  // namespace palimpsest
