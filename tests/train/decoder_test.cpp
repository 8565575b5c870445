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

// Token by token as in one pass over the whole text, in both forms of a batch.
TEST(DecoderTest, ContinuedTextsHaveTheStatesOfWholeOnes) {
  constexpr std::int64_t kPrompts[] = {1, 5, 17}, kMore = 4;
  for (const std::int64_t window : {0, 3}) {
    const Llama model(tiny_config(window), {.targets = {"key"}, .predicts_tokens = true},
                      tiny_weights(at::kCPU), at::kCPU);
    const auto token = [](std::int64_t text, std::int64_t place) {
      return (7 * place + 13 * text + 1) % 100;
    };
    Texts prompts, whole;
    for (std::int64_t text = 0; text < 3; ++text) {
      const std::int64_t length = kPrompts[text];
      for (std::int64_t place = 0; place < length + kMore; ++place) {
        if (place < length) prompts.ids.push_back(token(text, place));
        whole.ids.push_back(token(text, place));
      }
      prompts.lengths.push_back(length);
      whole.lengths.push_back(length + kMore);
    }
    const at::Tensor expected = model.hidden_states(make_text_input(whole));
    for (const bool is_padded : {false, true}) {
      Batch batch{.samples = prompts, .targets = {}};
      if (is_padded) batch.samples = padded(prompts, at::kCPU);
      DecodingCache cache{.capacity = 17 + kMore};
      at::Tensor found = model.begin_decoding(batch, cache);
      for (std::int64_t step = 0; step <= kMore; ++step) {
        std::int64_t first = 0;
        std::vector<std::int64_t> next;
        for (std::int64_t text = 0; text < 3; ++text) {
          const std::int64_t row = first + kPrompts[text] - 1 + step;
          EXPECT_TRUE(at::allclose(found[text], expected[row], 1e-4, 1e-5))
              << "window " << window << ", text " << text << ", step " << step;
          first += kPrompts[text] + kMore;
          next.push_back(token(text, kPrompts[text] + step));
        }
        if (step < kMore) found = model.decode(at::tensor(next, at::kLong), cache);
      }
    }
  }
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
