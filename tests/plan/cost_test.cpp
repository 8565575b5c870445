// The costs of MiniLM-L6 with key and value adapted, against numbers worked out by hand.
#include "palimpsest/plan/cost.h"

#include <gtest/gtest.h>

#include <string>

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

const TrainingShape kTraining = {
    .rank = 10, .classes = 6, .lanes = 2, .lane_samples = 4, .tokens = 20};

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

TEST(Cost, FrozenBackboneTrainsItsHeadAlone) {
  const ParameterCounts counts =
      parameter_counts(kMiniLm, AdaptedLayout(), {.rank = 0, .classes = 6});
  EXPECT_EQ(counts.adapted, 0);
  EXPECT_EQ(counts.trained(), 2310);
}

TEST(Cost, EstimatesMemoryByPart) {
  const MemoryEstimate bytes = memory_estimate(kMiniLm, key_and_value(), kTraining);
  EXPECT_EQ(bytes.weights, 4.0 * 22565376);
  EXPECT_EQ(bytes.adapted, 3 * 4.0 * 1769472);
  EXPECT_EQ(bytes.optimizer, 4.0 * 94470 * 6);
  // 6 blocks x 80 tokens x (9 * 384 + 2 * 1536 + 12 * 20 = 6768) numbers.
  EXPECT_EQ(bytes.activations, 4.0 * 3248640);
  EXPECT_EQ(bytes.fisher, (8.0 * (kTraining.lanes + 1) + 8.0) * 1769472);
  EXPECT_EQ(bytes.curvature, 16.0 * 1769472);
  EXPECT_EQ(bytes.total(), bytes.weights + bytes.adapted + bytes.optimizer + bytes.activations +
                               bytes.fisher + bytes.curvature);
}

TEST(Cost, CountsOperationsPerSample) {
  // Ten tokens. Matrices: 2 * 10 * 6 * 1,769,472; attention: 4 * 100 * 6 * 384; adapter: 2 * 10 *
  // 92,160.
  const double matrices = 212336640, attention = 921600, adapter = 1843200;
  EXPECT_EQ(training_operations_per_sample(kMiniLm, key_and_value(), 10, 10),
            2 * matrices + 3 * attention + 3 * adapter);
  EXPECT_EQ(training_operations_per_sample(kMiniLm, AdaptedLayout(), 0, 10), matrices + attention);
}

}  // namespace
}  // namespace palimpsest
