#include <nlohmann/json.hpp>

#include "fixtures.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/backbone_config.h"
#include "palimpsest/plan/model_shape.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

using Json = nlohmann::json;

// SmolLM2-135M's.
Json smollm2() {
  return Json::parse(
      R"({"model_type":"llama","hidden_act":"silu","hidden_size":576,"num_hidden_layers":30,
          "num_attention_heads":9,"num_key_value_heads":3,"intermediate_size":1536,
          "vocab_size":49152,"max_position_embeddings":8192,"rms_norm_eps":1e-5,
          "rope_theta":100000,"rope_scaling":null,"tie_word_embeddings":true,
          "attention_bias":false,"mlp_bias":false,"sliding_window":null})");
}

class LlamaConfigTest : public FolderTest {
 protected:
  LlamaConfig read(const Json& json) const {
    write_bytes(at("config.json"), json.dump());
    return read_llama_config(at("config.json"));
  }
  LlamaConfig with(const Json& changes) const {
    Json json = smollm2();
    json.update(changes);
    return read(json);
  }
  std::string refusal(const Json& changes) const {
    return error_message<InputError>([&] { with(changes); });
  }
};

TEST_F(LlamaConfigTest, ReadsTheShape) {
  const LlamaConfig config = read(smollm2());
  EXPECT_EQ(config.head_size, 64);
  EXPECT_EQ(config.key_value_heads, 3);
  EXPECT_TRUE(config.tied);
  EXPECT_FALSE(config.query_bias || config.output_bias || config.mlp_bias || config.query_key_norm);
  ASSERT_EQ(config.rotary.frequencies.size(), 32u);
  EXPECT_EQ(config.rotary.frequencies[0], 1);
  EXPECT_FLOAT_EQ(config.rotary.frequencies[16], 1 / std::sqrt(100000.0f));
  EXPECT_EQ(config.window, 0);
  // SmolLM2-135M has 134,515,008 parameters (transformers).
  EXPECT_EQ(model_shape(config).parameters(), 134515008);
}

TEST_F(LlamaConfigTest, TheSameOfBothWaysToWriteThePositions) {
  const Json scaling = {{"rope_type", "linear"}, {"factor", 2.0}};
  Json parameters = scaling;
  parameters["rope_theta"] = 100000;
  const LlamaConfig old = with({{"rope_scaling", scaling}});
  Json changes = {{"rope_parameters", parameters}, {"rope_theta", nullptr}};
  EXPECT_TRUE(with(changes) == old);
  EXPECT_EQ(old.rotary.frequencies[0], 0.5);
  EXPECT_NE(describe(old), describe(read(smollm2())));
}

TEST_F(LlamaConfigTest, WindowsAreThoseOfTheFamily) {
  const auto windowed = [&](Json changes) {
    changes["num_hidden_layers"] = 3;
    return with(changes).is_windowed;
  };
  EXPECT_THAT(windowed({{"sliding_window", 8}}), ElementsAre(false, false, false)) << "of a llama";
  EXPECT_THAT(windowed({{"sliding_window", 8}, {"model_type", "mistral"}}),
              ElementsAre(true, true, true));
  const Json qwen = {{"sliding_window", 8}, {"model_type", "qwen2"}, {"max_window_layers", 2}};
  EXPECT_THAT(windowed(qwen), ElementsAre(false, false, false)) << "without use_sliding_window";
  Json used = qwen;
  used["use_sliding_window"] = true;
  EXPECT_THAT(windowed(used), ElementsAre(false, false, true));
  used.erase("max_window_layers");
  EXPECT_THAT(windowed(used), ElementsAre(false, false, false)) << "from layer 28 on, if not given";
  used["layer_types"] = {"sliding_attention", "full_attention", "sliding_attention"};
  EXPECT_THAT(windowed(used), ElementsAre(true, false, true));
  used["layer_types"] = {"sliding_attention", "chunked_attention", "sliding_attention"};
  EXPECT_THAT(error_message<InputError>([&] { windowed(used); }), HasSubstr("layer_types"));
  used["layer_types"] = {"sliding_attention"};
  EXPECT_THAT(error_message<InputError>([&] { windowed(used); }), HasSubstr("layer_types"));
}

TEST_F(LlamaConfigTest, RefusesWhatTheDecoderDoesNotDo) {
  EXPECT_THAT(refusal({{"model_type", "gemma"}}),
              AllOf(HasSubstr("model_type"), HasSubstr("gemma")));
  EXPECT_THAT(refusal({{"hidden_act", "gelu"}}), HasSubstr("hidden_act: expected \"silu\""));
  EXPECT_THAT(refusal({{"num_key_value_heads", 4}}),
              HasSubstr("num_key_value_heads: expected a number that divides the 9 heads"));
  EXPECT_THAT(refusal({{"hidden_size", 577}}), HasSubstr("a multiple of the 9 heads"));
  EXPECT_THAT(refusal({{"head_dim", 63}}), HasSubstr("head_dim: expected an even number"));
  EXPECT_THAT(refusal({{"rms_norm_eps", 0}}), HasSubstr("rms_norm_eps"));
  EXPECT_THAT(refusal({{"rope_theta", 1}}), HasSubstr("rope_theta"));
  EXPECT_THAT(refusal({{"num_local_experts", 8}}), HasSubstr("a mixture of experts"));
  EXPECT_THAT(refusal({{"rope_interleaved", true}}), HasSubstr("interleaved pairs"));
  EXPECT_THAT(refusal({{"vocab_size", "many"}}), HasSubstr("vocab_size"));
  const auto scaled = [&](const Json& scaling) { return refusal({{"rope_scaling", scaling}}); };
  EXPECT_THAT(scaled({{"rope_type", "longrope"}}),
              HasSubstr("rope_scaling.rope_type: expected default, linear, llama3 or yarn"));
  EXPECT_THAT(scaled({{"type", "dynamic"}, {"factor", 2}}), HasSubstr("rope_scaling.type"));
  EXPECT_THAT(scaled({{"rope_type", "linear"}}), HasSubstr("rope_scaling.factor"));
  EXPECT_THAT(scaled({{"rope_type", "linear"}, {"factor", 0.5}}), HasSubstr("at least 1"));
  EXPECT_THAT(scaled({{"rope_type", "llama3"},
                      {"factor", 8},
                      {"low_freq_factor", 4},
                      {"high_freq_factor", 1}}),
              HasSubstr("high_freq_factor: expected more than low_freq_factor"));
  EXPECT_THAT(scaled({{"rope_type", "yarn"}, {"factor", 8}, {"mscale", 0.7}}), HasSubstr("mscale"));
  EXPECT_THAT(scaled("twice"), HasSubstr("rope_scaling"));
  const Json yarn = {{"rope_type", "yarn"}, {"factor", 8}};
  for (const char* const field :
       {"beta_fast", "beta_slow", "original_max_position_embeddings", "attention_factor"}) {
    Json wrong = yarn;
    wrong[field] = -1;
    EXPECT_THAT(scaled(wrong), HasSubstr(concat(field, ": expected a number above 0"))) << field;
  }
  Json unknown = yarn;
  unknown["partial_rotary_factor"] = 0.5;
  EXPECT_THAT(scaled(unknown), HasSubstr("rope_scaling.partial_rotary_factor"));
  EXPECT_THAT(refusal({{"rope_scaling", yarn}, {"rope_parameters", yarn}}),
              HasSubstr("rope_scaling: expected nothing beside rope_parameters"));
  for (const char* const size : {"num_hidden_layers", "head_dim", "num_attention_heads"})
    EXPECT_THAT(refusal({{size, std::int64_t{1} << 62}}),
                HasSubstr(concat(size, ": expected at most")));
}

// `truncate` as transformers takes it: what says no is false.
TEST_F(LlamaConfigTest, YarnRoundsItsRangeUnlessItIsSetOtherwise) {
  const auto frequencies = [&](const Json& truncate) {
    Json yarn = {{"rope_type", "yarn"}, {"factor", 8}};
    if (!truncate.is_discarded()) yarn["truncate"] = truncate;
    return with({{"rope_scaling", yarn}}).rotary.frequencies;
  };
  const auto rounded = frequencies(Json(nlohmann::detail::value_t::discarded));
  EXPECT_EQ(frequencies(true), rounded);
  EXPECT_NE(frequencies(false), rounded);
  EXPECT_EQ(frequencies(nullptr), frequencies(false));
}

}  // namespace
}  // namespace palimpsest
