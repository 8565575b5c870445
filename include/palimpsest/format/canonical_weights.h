#pragma once
// One model, several spellings: the tensors of published checkpoints under one set of names. Heads
// and poolers are left aside; any other tensor that the model has no use for is refused by name.
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/format/backbone_config.h"
#include "palimpsest/format/pretrained_weights.h"

namespace palimpsest {

// How checkpoints of one family write the names. A full name is a prefix, a part outside or inside
// a block, and an ending (".weight", ".bias" or none).
struct Spellings {
  // Where a canonical tensor lies: in several tensors, one above the other by rows, or in one of
  // `of` equal parts of one, by rows.
  struct Place {
    std::vector<std::string> tensors;
    std::int64_t part = 0, of = 1;
  };
  struct Part {
    std::string_view canonical;
    std::vector<Place> written;
  };
  std::vector<std::string_view> prefixes;  // before every name: "", "vit.", ...
  std::string_view block;                  // canonical, before the block's number: "blocks."
  std::vector<std::string_view> blocks;    // as written
  std::vector<Part> parts;                 // of a block, and outside of blocks
  std::vector<std::string_view> ignored;   // beginnings of names that are not the backbone's
};

const Spellings& bert_spellings();
const Spellings& vit_spellings();
const Spellings& llama_spellings();
const Spellings& find_spellings(const BackboneConfig& config);

class CanonicalWeights {
 public:
  CanonicalWeights(const PretrainedWeights& checkpoint, const Spellings& spellings)
      : checkpoint_(checkpoint), spellings_(spellings) {}

  bool contains(std::string_view canonical) const { return find(canonical).has_value(); }

  using Place = Spellings::Place;
  // Throws InputError when there is none, with the name that the checkpoint would have it under.
  Place find_place(std::string_view canonical) const;
  std::string name_in_file(std::string_view canonical) const;  // for messages; throws as that

  // Leading dimensions of 1 left out. Throws InputError when there is no such tensor.
  std::vector<std::int64_t> shape(std::string_view canonical) const;

  // Its pieces as they lie in the mapped files, one above the other by rows: mostly one. Throws
  // InputError: missing, or another shape than expected.
  std::vector<TensorView> pieces(std::string_view canonical, std::span<const std::int64_t> shape);

  // Throws InputError when the checkpoint has a tensor that pieces() never gave and that is not
  // known to be beside the backbone: the model does something that this backbone doesn't. Whole
  // numbers (position_ids) are no weights, and left aside.
  void refuse_surplus() const;

 private:
  std::vector<Place> spelled(std::string_view canonical) const;  // all ways to write it
  std::optional<Place> find(std::string_view canonical) const;
  [[noreturn]] void refuse_missing(std::string_view canonical) const;

  const PretrainedWeights& checkpoint_;
  const Spellings& spellings_;
  std::set<std::string, std::less<>> read_;
};

}  // namespace palimpsest
