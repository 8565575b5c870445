#include "palimpsest/export/dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "palimpsest/core/error.h"
#include "palimpsest/format/canonical_weights.h"
#include "palimpsest/format/safetensors.h"
#include "palimpsest/plan/model_shape.h"

namespace palimpsest {
namespace {

VitConfig shape(std::string_view name) {
  return std::get<VitConfig>(shape_without_weights(std::string(name)));
}

// Names of all tensors, those of one name once.
std::set<std::string> names(const VitConfig& config, Dialect dialect, bool prefix = false) {
  std::set<std::string> names;
  for (const CanonicalTensor& tensor : vit_tensors(config))
    names.insert(written_name(config, dialect, tensor.name, prefix).name);
  return names;
}

TEST(Dialect, AViTHasAsManyTensorsAsTimmAndTransformersGiveIt) {
  const VitConfig vit = shape("vit-b/16");
  // timm's 152 tensors, its classifier's weight and bias left out; query, key and value are one.
  EXPECT_EQ(names(vit, Dialect::kTimm).size(), 150u);
  EXPECT_EQ(names(vit, Dialect::kHf5).size(), 150u + 12 * 4);
  std::int64_t parameters = 0;
  for (const CanonicalTensor& tensor : vit_tensors(vit)) {
    parameters += std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1},
                                  std::multiplies<>());
  }
  EXPECT_EQ(parameters, 85'798'656);  // of vit_base_patch16_224 without a classifier
}

TEST(Dialect, NamesAreThoseOfEachProgram) {
  const VitConfig vit = shape("vit-b/16"), dino = shape("dinov2-s/14");
  const auto name = [](const VitConfig& config, Dialect dialect, std::string_view canonical,
                       bool prefix = false) {
    return written_name(config, dialect, canonical, prefix).name;
  };
  EXPECT_EQ(name(vit, Dialect::kTimm, "blocks.11.attn.key.weight"), "blocks.11.attn.qkv.weight");
  EXPECT_EQ(name(vit, Dialect::kHf4, "blocks.3.mlp.fc1.bias"),
            "encoder.layer.3.intermediate.dense.bias");
  EXPECT_EQ(name(vit, Dialect::kHf5, "blocks.3.attn.value.bias", true),
            "vit.layers.3.attention.v_proj.bias");
  EXPECT_EQ(name(dino, Dialect::kHf5, "blocks.0.scale2", true),
            "dinov2.encoder.layer.0.layer_scale2.lambda1");
  EXPECT_EQ(name(dino, Dialect::kHf4, "blocks.0.attn.query.weight"),
            "encoder.layer.0.attention.attention.query.weight");
  EXPECT_EQ(name(dino, Dialect::kTimm, "blocks.0.scale1"), "blocks.0.ls1.gamma");
  const WrittenName value = written_name(vit, Dialect::kTimm, "blocks.0.attn.value.weight", false);
  EXPECT_EQ(value.part, 2);
  EXPECT_EQ(value.of, 3);
}

// A tiny model of every shape, written under each program's names, is the same when it is read.
TEST(Dialect, WhatIsWrittenIsFoundUnderItsCanonicalName) {
  VitConfig plain{.width = 4, .depth = 2, .heads = 2, .mlp = 8, .patch = 2, .grid = 2, .placed = 1};
  VitConfig dino = plain, registers = plain, normed = plain;
  dino.layer_scale = true;
  registers.layer_scale = true;
  registers.registers = 2;
  normed.query_key_norm = true;
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "palimpsest-dialects";
  for (const VitConfig& config : {plain, dino, registers, normed}) {
    for (const Dialect dialect : {Dialect::kTimm, Dialect::kHf4, Dialect::kHf5}) {
      if (config.query_key_norm && dialect != Dialect::kTimm) continue;
      std::map<std::string, std::pair<std::vector<std::int64_t>, std::vector<float>>> written;
      std::map<std::string, std::vector<float>> expected;
      float next = 0;
      for (const CanonicalTensor& tensor : vit_tensors(config)) {
        const WrittenName name = written_name(config, dialect, tensor.name, /*prefix=*/true);
        auto& [shape, values] = written[name.name];
        shape = tensor.shape;
        shape.front() *= name.of;
        const auto size = std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1},
                                          std::multiplies<>());
        for (std::int64_t i = 0; i < size; ++i) {
          values.push_back(next);
          expected[tensor.name].push_back(next++);
        }
      }
      std::vector<TensorToWrite> tensors;
      for (const auto& [name, whole] : written)
        tensors.push_back({name, whole.first, [&whole = whole] { return whole.second; }});
      std::filesystem::create_directories(folder);
      write_safetensors(folder / "model.safetensors", std::move(tensors));
      const PretrainedWeights checkpoint(folder);
      CanonicalWeights weights(checkpoint, vit_spellings());
      for (const CanonicalTensor& tensor : vit_tensors(config)) {
        std::vector<float> found;
        for (const TensorView& piece : weights.pieces(tensor.name, tensor.shape)) {
          const std::vector<float> part = to_floats(piece);
          found.insert(found.end(), part.begin(), part.end());
        }
        EXPECT_EQ(found, expected[tensor.name]) << tensor.name;
      }
      EXPECT_NO_THROW(weights.refuse_surplus());
      std::filesystem::remove_all(folder);
    }
  }
}

TEST(Dialect, ATensorThatTheOtherProgramLacksIsRefused) {
  VitConfig vit = shape("vit-b/16");
  vit.query_key_norm = true;
  EXPECT_NO_THROW(names(vit, Dialect::kTimm));
  EXPECT_THROW(names(vit, Dialect::kHf5), UsageError);
}

}  // namespace
}  // namespace palimpsest
