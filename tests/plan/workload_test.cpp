// The counts of MiniLM-L6 with key and value adapted, against numbers computed by hand.
#include "palimpsest/plan/workload.h"

#include <gmock/gmock.h>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

constexpr std::int64_t kAdapted = 1769472;  // 12 matrices of 384 x 384

// Two lanes of 4 samples of 20 tokens.
const Workload kMiniLm = {.model = model_shape(BertConfig{.hidden = 384,
                                                          .layers = 6,
                                                          .heads = 12,
                                                          .intermediate = 1536,
                                                          .vocabulary = 30522,
                                                          .positions = 512,
                                                          .hidden_act = "gelu"}),
                          .rank = 10,
                          .adapter = 92160,
                          .adapted = kAdapted,
                          .most_classes = 6,
                          .batch = 8,
                          .lanes = 2,
                          .longest_tokens = 20,
                          .mean_tokens = 10};

TEST(Workload, CountsParameters) {
  // The published model has 22,713,216 parameters, 147,840 of them in the pooler.
  EXPECT_EQ(kMiniLm.model.parameters(), 22713216 - 147840);
  EXPECT_EQ(kMiniLm.trained(), 92160 + 6 * 384 + 6);
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

TEST(Workload, LanesAreRaisedToTheRanks) {
  EXPECT_EQ(over_ranks(kMiniLm, 1).lanes, 2);
  EXPECT_EQ(over_ranks(kMiniLm, 32).lanes, 32);
  Workload unordered = kMiniLm;
  unordered.ordered = false;
  EXPECT_EQ(over_ranks(unordered, 1).lanes, 1);
}

TEST(Workload, CountsMemoryByPart) {
  const CountedMemory bytes = counted_memory(kMiniLm, 1, /*on_device=*/false);
  EXPECT_EQ(bytes.weights, 4.0 * (22565376 + 4 * kAdapted));
  EXPECT_EQ(bytes.optimizer, 4.0 * 94470 * 6);
  // 80 tokens. Kept in each of 6 blocks: seven vectors, the MLP's middle, 12 heads' weights of 20
  // tokens. Dropped again: three middles, four vectors.
  const double kept = 7 * 384 + 1536 + 12 * 20, dropped = 3 * 1536 + 4 * 384;
  EXPECT_EQ(bytes.activations, 4.0 * 80 * (6 * kept + dropped));
  EXPECT_EQ(bytes.fisher, (2 * 8.0 + 12.0) * kAdapted);
  EXPECT_EQ(bytes.curvature, 16.0 * kAdapted);
  const double most = bytes.program + bytes.weights + bytes.activations + bytes.fisher;
  EXPECT_EQ(bytes.peak(/*on_device=*/true), most);
  EXPECT_EQ(bytes.saving, 2 * (4.0 * kAdapted + bytes.curvature));
  EXPECT_EQ(bytes.peak(/*on_device=*/false), most + bytes.curvature + bytes.saving);
  // A second rank has one of the lanes: their gradients are kept side by side, their Fishers not.
  EXPECT_EQ(bytes.optimizer - counted_memory(kMiniLm, 2, false).optimizer, 4.0 * 94470);
  EXPECT_EQ(bytes.fisher, counted_memory(kMiniLm, 2, false).fisher);
  EXPECT_EQ(counted_memory(kMiniLm, 2, false).activations, bytes.activations);
  EXPECT_EQ(counted_memory(kMiniLm, 4, false).activations, bytes.activations / 2);
}

TEST(Workload, CountsWhatSettingsSave) {
  const CountedMemory all = counted_memory(kMiniLm, 1, true);
  Workload work = kMiniLm;
  work.bf16 = true;
  // The six matrices of six blocks, and adapted weights beneath the adapter; embeddings, biases,
  // norms and pretrained adapted weights stay as they are.
  EXPECT_EQ(all.weights - counted_memory(work, 1, true).weights,
            2.0 * 6 * 12 * 384 * 384 + 4.0 * kAdapted);
  EXPECT_EQ(counted_memory(work, 1, true).activations, all.activations / 2);
  work = kMiniLm;
  work.activation_checkpointing = true;
  const double kept = 7 * 384 + 1536 + 12 * 20, dropped = 3 * 1536 + 4 * 384;
  EXPECT_EQ(counted_memory(work, 1, true).activations, 4.0 * 80 * (6 * 384 + kept + dropped));
  work = kMiniLm;
  work.model.attention_bias = true;  // a device adds it to the mask, once for all blocks
  EXPECT_EQ(counted_memory(work, 1, true).activations, all.activations + 4.0 * 80 * 12 * 20);
  EXPECT_EQ(counted_memory(work, 1, false).activations, all.activations);
  work = kMiniLm;
  work.fisher = false;
  EXPECT_EQ(counted_memory(work, 1, true).fisher + counted_memory(work, 1, true).curvature, 0);
  work.rank = 0;  // a frozen backbone keeps nothing for a backward pass
  EXPECT_EQ(counted_memory(work, 1, true).activations, 4.0 * 80 * dropped);
}

TEST(Workload, ShardsAreKeptByOneRankEach) {
  Workload work = kMiniLm;
  work.shard_memory = true;
  work.largest_module = 384 * 384;
  const CountedMemory whole = counted_memory(kMiniLm, 4, false),
                      shards = counted_memory(work, 4, false);
  EXPECT_EQ(whole.weights - shards.weights, 4.0 * 3 * kAdapted * 3 / 4);
  EXPECT_EQ(shards.fisher, 28.0 * kAdapted / 4 + 8.0 * 384 * 384);
  EXPECT_EQ(shards.curvature, whole.curvature / 4);
  EXPECT_EQ(shards.saving, 0);
  EXPECT_EQ(shards.activations, whole.activations);
  EXPECT_EQ(shards.optimizer, whole.optimizer);
  // A module isn't split.
  EXPECT_EQ(counted_memory(work, 1000, false).curvature, 16.0 * 384 * 384);
}

TEST(Workload, CountsTheSumsOfAClassifier) {
  Workload work = kMiniLm;
  work.classifier_bytes = 1e9;
  for (const bool on_device : {false, true}) {
    EXPECT_EQ(counted_memory(work, 1, on_device).peak(on_device),
              counted_memory(kMiniLm, 1, on_device).peak(on_device) + 1e9);
  }
}

TEST(Workload, CountsOperationsPerSample) {
  // Ten tokens. Matrices: 2 * 10 * 6 * 1,769,472; attention: 4 * 100 * 6 * 384; adapter: 2 * 10 *
  // 92,160; the gradients of the adapted weights: 2 * 10 * 1,769,472.
  const double matrices = 212336640, attention = 921600, adapter = 1843200, weights = 35389440;
  const Operations whole = operations_per_sample(kMiniLm);
  EXPECT_EQ(whole.forward, matrices + attention);
  EXPECT_EQ(whole.training, 2 * matrices + 3 * attention + 3 * adapter);
  EXPECT_EQ(whole.fisher, 2 * matrices + 3 * attention + weights);
  Workload work = kMiniLm;
  work.fisher_backwards = 6;  // a pass for each class
  EXPECT_EQ(operations_per_sample(work).fisher, 7 * matrices + 13 * attention + 6 * weights);
  work.fisher_backwards = 0;
  EXPECT_EQ(operations_per_sample(work).fisher, whole.forward);
  work.fisher_backwards = 1;
  work.activation_checkpointing = true;
  EXPECT_EQ(operations_per_sample(work).training - whole.training, whole.forward);
  work.rank = 0;
  EXPECT_EQ(operations_per_sample(work).training, whole.forward);
}

TEST(Workload, CountsADecodersVocabulary) {
  Workload work{.model = model_shape(LlamaConfig{.hidden = 32,
                                                 .layers = 2,
                                                 .heads = 4,
                                                 .key_value_heads = 2,
                                                 .head_size = 8,
                                                 .intermediate = 48,
                                                 .vocabulary = 1000,
                                                 .positions = 64}),
                .rank = 2,
                .adapter = 100,
                .adapted = 2048,
                .batch = 8,
                .lanes = 2,
                .longest_tokens = 20,
                .mean_tokens = 10};
  // Query and output 32 x 32, key and value 16 x 32, gate, up and down 48 x 32; norms of 32.
  const double block = 2 * 1024 + 2 * 512 + 3 * 1536, embedding = 32000;
  EXPECT_EQ(work.model.parameters(), embedding + 32 + 2 * (block + 64));
  const CountedMemory without = counted_memory(work, 1, false);
  EXPECT_EQ(without.weights, 4 * (embedding + 32 + 2 * (block + 64) + 4 * 2048));
  EXPECT_EQ(without.logits, 0);
  const Operations states = operations_per_sample(work);
  work.mean_predictions = 3;
  work.most_predictions = 5;
  const CountedMemory with = counted_memory(work, 1, false);
  EXPECT_EQ(with.weights - without.weights, 4 * embedding);  // a separate output layer
  EXPECT_EQ(with.logits, 4 * 4 * 5 * 1000);                  // 4 samples of a lane
  const Operations predictions = operations_per_sample(work);
  EXPECT_EQ(predictions.forward - states.forward, 2 * 3 * embedding);
  EXPECT_EQ(predictions.training - states.training, 2 * 2 * 3 * embedding);
  EXPECT_EQ(predictions.fisher - states.fisher, 2 * 2 * 3 * embedding);
  Workload again = work;
  again.activation_checkpointing = true;  // logits aren't computed again
  EXPECT_EQ(operations_per_sample(again).training - predictions.training, states.forward);
  work.model.tied = true;
  work.bf16 = true;
  // The embedding, too, has the precision of the matrices.
  EXPECT_EQ(counted_memory(work, 1, false).weights,
            2 * (embedding + 2 * block) + 4 * (32 + 2 * 64 + 3 * 2048));
  work.most_predictions = 1000000;
  EXPECT_EQ(counted_memory(work, 1, false).logits, 6.0 * (1 << 24));
  EXPECT_EQ(counted_memory(work, 1, true).logits, 6.0 * (1 << 27));
}

TEST(Workload, KnowsPublishedShapes) {
  // Parameters without classifier, as timm and transformers (without pooler) count them.
  const auto parameters = [](std::string_view name) {
    return model_shape(shape_without_weights(std::string(name))).parameters();
  };
  EXPECT_EQ(parameters("vit-ti/16"), 5524416);
  EXPECT_EQ(parameters("vit-b/16"), 85798656);
  EXPECT_EQ(parameters("vit-l/16"), 303301632);
  EXPECT_EQ(parameters("vit-h/14"), 630764800);
  EXPECT_EQ(parameters("vit-g/14"), 1011202432);
  EXPECT_EQ(parameters("dinov2-s/14"), 22056192);
  EXPECT_EQ(parameters("bert-base"), 108891648);
  EXPECT_EQ(parameters("bert-large"), 334092288);
  EXPECT_EQ(parameters("mpnet-base"), 108895872);
  // With their output layers.
  const auto predicting = [&](std::string_view name) {
    return parameters(name) +
           model_shape(shape_without_weights(std::string(name))).output_parameters();
  };
  EXPECT_EQ(predicting("smollm2-135m"), 134515008);
  EXPECT_EQ(predicting("qwen2-0.5b"), 494032768);
  EXPECT_EQ(predicting("tinyllama-1.1b"), 1100048384);
  EXPECT_EQ(predicting("llama2-7b"), 6738415616);
  EXPECT_EQ(predicting("llama3-8b"), 8030261248);
  EXPECT_EQ(predicting("llama3-70b"), 70553706496);
  EXPECT_THAT([] { shape_without_weights("vit-x/16"); },
              testing::ThrowsMessage<UsageError>(testing::HasSubstr("vit-g/14")));
}

}  // namespace
}  // namespace palimpsest
