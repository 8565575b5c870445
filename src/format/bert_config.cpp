#include "palimpsest/format/bert_config.h"

#include "json_fields.h"
#include "model_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

BertConfig read_bert_config(const std::filesystem::path& path) {
  const nlohmann::json json = read_json_object(path);
  const JsonObject top{json, path};
  const std::string family = top.text("model_type");
  const bool is_roberta = family == "roberta" || family == "xlm-roberta" || family == "camembert";
  if (family != "bert" && !is_roberta) {
    top.refuse("model_type", "bert, roberta, xlm-roberta or camembert");
  }
  BertConfig config;
  config.hidden = top.integer("hidden_size", 1);
  config.layers = top.integer("num_hidden_layers", 1);
  config.heads = top.integer("num_attention_heads", 1);
  config.intermediate = top.integer("intermediate_size", 1);
  config.vocabulary = top.integer("vocab_size", 1);
  config.positions = top.integer("max_position_embeddings", 1);
  if (is_roberta) {  // rows up to the padding token's own stay unused
    config.first_position = (top.has("pad_token_id") ? top.integer("pad_token_id", 0) : 1) + 1;
    config.positions -= config.first_position;
    if (config.positions < 1) top.refuse("max_position_embeddings", "more than pad_token_id + 1");
  }
  if (top.has("type_vocab_size")) config.type_vocabulary = top.integer("type_vocab_size", 1);
  if (top.has("layer_norm_eps")) config.layer_norm_epsilon = top.number("layer_norm_eps");
  config.hidden_act = top.text("hidden_act");
  if (config.hidden_act != "gelu") top.refuse("hidden_act", "\"gelu\"");
  check_model_fields(top);
  if (!(config.layer_norm_epsilon > 0)) top.refuse("layer_norm_eps", "a number above 0");
  if (config.hidden % config.heads != 0) {
    top.refuse("hidden_size", concat("a multiple of the ", config.heads, " heads"));
  }
  if (top.has("head_dim") && top.integer("head_dim", 1) != config.hidden / config.heads)
    top.refuse("head_dim", "hidden_size / num_attention_heads");
  return config;
}

}  // namespace palimpsest
