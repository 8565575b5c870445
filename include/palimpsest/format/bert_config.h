#pragma once
// The shape of a BERT or RoBERTa encoder, from the config.json beside its weights. A
// field that would change the computation, and isn't understood, is refused by name.
#include <cstdint>
#include <filesystem>
#include <string>

namespace palimpsest {

struct BertConfig {
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t intermediate = 0;
  std::int64_t vocabulary = 0;
  std::int64_t positions = 0;       // the longest sequence
  std::int64_t first_position = 0;  // row of the position embeddings that a text begins at
  std::int64_t type_vocabulary = 2;
  double layer_norm_epsilon = 1e-12;
  std::string hidden_act;  // "gelu": the exact one, with erf

  bool operator==(const BertConfig&) const = default;
};

// `path`: of config.json. Throws InputError: another model_type than "bert" and the
// RoBERTas, another activation than "gelu", other than absolute positions, a missing or impossible
// size, a hidden size that the heads don't divide.
BertConfig read_bert_config(const std::filesystem::path& path);

}  // namespace palimpsest
