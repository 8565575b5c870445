// The costs of MiniLM-L6 with key and value adapted, against numbers worked out by hand.
#include "palimpsest/plan/cost.h"

#include <gmock/gmock.h>

#include <string>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

const ModelShape kMiniLm = model_shape(BertConfig{.hidden = 384,
                                                  .layers = 6,
                                                  .heads = 12,
                                                  .intermediate = 1536,
                                                  .vocabulary = 30522,
                                                  .positions = 512,
                                                  .hidden_act = "gelu"});

AdaptedLayout key_and_value() {
  std::vector<AdaptedModule> modules;
  for (int layer = 0; layer < 6; ++layer) {
    for (const char* const name : {"key", "value"}) {
      modules.push_back({.name = std::to_string(layer) + "." + name, .out = 384, .in = 384});
    }
  }
  return AdaptedLayout(modules);
}

const TrainingShape kTraining = {.rank = 10,
                                 .classes = 6,
                                 .lanes = 2,
                                 .lane_samples = 4,
                                 .tokens = 20,
                                 .adapted = {.qkv = true}};

TEST(Cost, CountsMiniLmsParameters) {
  const ParameterCounts counts = parameter_counts(kMiniLm, key_and_value(), kTraining);
  // The published model has 22,713,216 parameters, 147,840 of them in the pooler.
  EXPECT_EQ(counts.backbone, 22713216 - 147840);
  EXPECT_EQ(counts.adapted, 1769472);
  EXPECT_EQ(counts.adapter, 92160);
  EXPECT_EQ(counts.head, 6 * 384 + 6);
  EXPECT_EQ(counts.trained(), 94470);
}

TEST(Cost, CountsTheParametersOfVisionTransformers) {
  const VitConfig base{
      .width = 768, .depth = 12, .heads = 12, .mlp = 3072, .patch = 16, .grid = 14, .placed = 1};
  // ViT-B/16 has 85,798,656 parameters without its classifier (timm).
  EXPECT_EQ(model_shape(base).parameters(), 85798656);
  EXPECT_EQ(image_tokens(base, 224), 197);
  // ViT-S/14 of DINOv2: 22,056,192 without its mask token.
  const VitConfig dinov2{.width = 384,
                         .depth = 12,
                         .heads = 6,
                         .mlp = 1536,
                         .patch = 14,
                         .grid = 37,
                         .placed = 1,
                         .layer_scale = true};
  EXPECT_EQ(model_shape(dinov2).parameters(), 22056192);
  EXPECT_EQ(image_tokens(dinov2, 98), 50);
}

TEST(Cost, WhereAIsFrozenBAloneIsCounted) {
  TrainingShape training = kTraining;
  training.trains_a = false;
  EXPECT_EQ(parameter_counts(kMiniLm, key_and_value(), training).adapter, 92160 / 2);
}

TEST(Cost, FrozenBackboneTrainsItsHeadAlone) {
  const ParameterCounts counts =
      parameter_counts(kMiniLm, AdaptedLayout(), {.rank = 0, .classes = 6, .adapted = {}});
  EXPECT_EQ(counts.adapted, 0);
  EXPECT_EQ(counts.trained(), 2310);
}

TEST(Cost, EstimatesMemoryByPart) {
  const MemoryEstimate bytes = memory_estimate(kMiniLm, key_and_value(), kTraining);
  EXPECT_EQ(bytes.weights, 4.0 * 22565376);
  // Query, key and value of six blocks once more, the merged rows, theta_hat and the task vector.
  EXPECT_EQ(bytes.adapted, 4.0 * (6 * 3 * 384 * 384 + 3 * 1769472));
  EXPECT_EQ(bytes.optimizer, 4.0 * 94470 * 6);
  // 80 tokens. Kept in each of 6 blocks: inputs of two norms and of q, k, v; q, k and v; the MLP's
  // middle. Dropped again: three middles, four vectors.
  const double kept = 6 * 384 + 1536, dropped = 3 * 1536 + 4 * 384;
  EXPECT_EQ(bytes.activations, 4.0 * 80 * (6 * kept + dropped) * 1.33);
  EXPECT_EQ(bytes.fisher, (8.0 * (kTraining.lanes + 2) + 12.0) * 1769472);
  EXPECT_EQ(bytes.curvature, 16.0 * 1769472);
  EXPECT_EQ(bytes.peak(), bytes.program + bytes.weights + bytes.adapted + bytes.activations +
                              bytes.fisher + bytes.curvature);
}

TEST(Cost, SavesMemoryWhereAskedTo) {
  TrainingShape training = kTraining;
  const MemoryEstimate all = memory_estimate(kMiniLm, key_and_value(), training);
  training.bf16 = true;
  const MemoryEstimate half = memory_estimate(kMiniLm, key_and_value(), training);
  // The six matrices of six blocks; embeddings, biases and norms stay as they are.
  EXPECT_EQ(all.weights - half.weights, 2.0 * 6 * 12 * 384 * 384);
  // Two bytes for four, and the weights of unfused attention: 12 heads, 20 tokens for each token.
  EXPECT_DOUBLE_EQ(half.activations, all.activations / 2 + 2.0 * 80 * 6 * 12 * 20 * 1.33);
  training = kTraining;
  training.activation_checkpointing = true;
  const MemoryEstimate again = memory_estimate(kMiniLm, key_and_value(), training);
  EXPECT_LT(again.activations, all.activations);
  EXPECT_EQ(again.weights, all.weights);
  training = kTraining;
  training.keeps_fisher = false;
  const MemoryEstimate average = memory_estimate(kMiniLm, key_and_value(), training);
  EXPECT_EQ(average.fisher + average.curvature, 0);
  training.kept_numbers = 5;  // a penalty and noise
  EXPECT_EQ(memory_estimate(kMiniLm, key_and_value(), training).adapted - average.adapted,
            5 * 4.0 * 1769472);
}

TEST(Cost, AligningHeadsTakesFeaturesInsteadOfWhatTrainingTakes) {
  TrainingShape training = kTraining;
  training.drawn_features = 256 * 1000;  // of a thousand classes
  const MemoryEstimate bytes = memory_estimate(kMiniLm, key_and_value(), training);
  EXPECT_EQ(bytes.alignment, 2 * 4.0 * 256 * 1000 * 384);
  EXPECT_EQ(bytes.peak(),
            bytes.program + bytes.weights + bytes.adapted + bytes.curvature + bytes.alignment);
  training.on_device = true;
  EXPECT_EQ(memory_estimate(kMiniLm, key_and_value(), training).alignment, bytes.alignment / 2);
}

TEST(Cost, CountsOperationsPerSample) {
  // Ten tokens. Matrices: 2 * 10 * 6 * 1,769,472; attention: 4 * 100 * 6 * 384; adapter: 2 * 10 *
  // 92,160; the gradients of the adapted weights: 2 * 10 * 1,769,472.
  const double matrices = 212336640, attention = 921600, adapter = 1843200, weights = 35389440;
  TrainingShape training = kTraining;
  const Operations whole = operations_per_sample(kMiniLm, key_and_value(), training, 10);
  EXPECT_EQ(whole.forward, matrices + attention);
  EXPECT_EQ(whole.training, 2 * matrices + 3 * attention + 3 * adapter);
  EXPECT_EQ(whole.fisher, 2 * matrices + 3 * attention + weights);
  training.fisher_backwards = 6;  // a pass for each class
  EXPECT_EQ(operations_per_sample(kMiniLm, key_and_value(), training, 10).fisher,
            7 * matrices + 13 * attention + 6 * weights);
  training.fisher_backwards = 0;
  EXPECT_EQ(operations_per_sample(kMiniLm, key_and_value(), training, 10).fisher, whole.forward);
  training.fisher_backwards = 1;
  training.activation_checkpointing = true;
  const Operations again = operations_per_sample(kMiniLm, key_and_value(), training, 10);
  EXPECT_EQ(again.training - whole.training, whole.forward);
  training.rank = 0;
  EXPECT_EQ(operations_per_sample(kMiniLm, AdaptedLayout(), training, 10).training, whole.forward);
}

// A block's matrices after the attention: 384 * 384 + 2 * 384 * 1536 = 1,327,104 weights.
TEST(Cost, OfTheLastBlockOnlyTheClassTokenGoesOn) {
  TrainingShape training = kTraining;
  const Operations whole = operations_per_sample(kMiniLm, key_and_value(), training, 10);
  const MemoryEstimate all = memory_estimate(kMiniLm, key_and_value(), training);
  training.class_token_only = true;
  const Operations less = operations_per_sample(kMiniLm, key_and_value(), training, 10);
  EXPECT_EQ(whole.forward - less.forward, 2 * 9 * 1327104.0 + 4 * 9 * 10 * 384);
  EXPECT_LT(memory_estimate(kMiniLm, key_and_value(), training).activations, all.activations);
}

TEST(Cost, KnowsPublishedShapes) {
  // Parameters without classifier, as timm and transformers (without pooler) count them.
  const auto parameters = [](std::string_view name) {
    return model_shape(published_shape(name)).parameters();
  };
  EXPECT_EQ(parameters("vit-ti/16"), 5524416);
  EXPECT_EQ(parameters("vit-b/16"), 85798656);
  EXPECT_EQ(parameters("vit-l/16"), 303301632);
  EXPECT_EQ(parameters("vit-h/14"), 630764800);
  EXPECT_EQ(parameters("vit-g/14"), 1011202432);
  EXPECT_EQ(parameters("dinov2-s/14"), 22056192);
  EXPECT_EQ(parameters("bert-base"), 108891648);
  EXPECT_EQ(parameters("bert-large"), 334092288);
  EXPECT_THAT([] { published_shape("vit-x/16"); },
              testing::ThrowsMessage<UsageError>(testing::HasSubstr("vit-g/14")));
}

}  // namespace
}  // namespace palimpsest
