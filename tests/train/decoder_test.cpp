#include "palimpsest/model/llama.h"
#include "support/tiny_stream.h"

namespace palimpsest {
namespace {

LlamaConfig tiny_config(std::int64_t window) {
  LlamaConfig config{.hidden = 32,
                     .layers = 2,
                     .heads = 4,
                     .key_value_heads = 2,
                     .head_size = 8,
                     .intermediate = 48,
                     .vocabulary = 100,
                     .positions = 40};
  config.rotary.frequencies = {1, 0.3f, 0.1f, 0.03f};
  config.window = window;
  config.is_windowed = {window > 0, false};
  return config;
}

Texts some_texts() {
  Texts texts{.ids = {}, .lengths = {1, 5, 17, 40, 3}};
  for (const std::int64_t length : texts.lengths) {
    for (std::int64_t i = 0; i < length; ++i) texts.ids.push_back((7 * i + 13 * length) % 100);
  }
  return texts;
}

// As a device has them. Bits differ, since attention adds in another order.
TEST(DecoderTest, PaddedTextsHaveTheFeaturesOfTextsOneAfterAnother) {
  const Texts texts = some_texts();
  const at::Tensor targets = at::zeros({std::ssize(texts.lengths)}, at::kLong);
  for (const std::int64_t window : {0, 3}) {
    for (const bool mean : {false, true}) {
      const Llama model(tiny_config(window), {.targets = {"key"}, .mean_pooling = mean},
                        tiny_weights(at::kCPU), at::kCPU);
      const at::Tensor expected = model.features({.samples = texts, .targets = targets}, {});
      const at::Tensor found =
          model.features({.samples = padded(texts, at::kCPU), .targets = targets}, {});
      EXPECT_TRUE(at::allclose(found, expected, 1e-5, 1e-5))
          << "window " << window << ", mean " << mean << ": off by "
          << (found - expected).abs().max().item<double>();
    }
  }
}

// Of one text with two completions and one whose first token is predicted.
TEST(DecoderTest, StatesThatPredictCompletionsAreThoseBeforeTheirTokens) {
  const Llama model(tiny_config(0), {.targets = {"key"}, .predicts_tokens = true},
                    tiny_weights(at::kCPU), at::kCPU);
  const Texts texts{.ids = {1, 2, 3, 4, 5, 6}, .lengths = {4, 2}};
  const at::Tensor found = model.features({.samples = texts,
                                           .targets = at::tensor({3, 4, 6}, at::kLong),
                                           .rows = at::tensor({1, 2, 4}, at::kLong)},
                                          {});
  const at::Tensor all = model.hidden_states(make_text_input(texts));
  EXPECT_TRUE(at::equal(found, all.index_select(0, at::tensor({1, 2, 4}, at::kLong))));
  EXPECT_EQ(model.output_layer().sizes(), (std::vector<std::int64_t>{100, 32}));
}

TEST(DecoderTest, ALaterTokenChangesNothingBeforeIt) {
  const Llama model(tiny_config(0), {.targets = {"key"}}, tiny_weights(at::kCPU), at::kCPU);
  Texts texts{.ids = {1, 2, 3, 4}, .lengths = {4}};
  const at::Tensor before = model.hidden_states(make_text_input(texts));
  texts.ids[2] = 50;
  const at::Tensor after = model.hidden_states(make_text_input(texts));
  EXPECT_TRUE(at::allclose(before.narrow(0, 0, 2), after.narrow(0, 0, 2)));
  EXPECT_FALSE(at::allclose(before.narrow(0, 2, 2), after.narrow(0, 2, 2)));
}

}  // namespace
}  // namespace palimpsest
