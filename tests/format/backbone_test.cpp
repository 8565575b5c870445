// Checkpoints in one file or several, in the spellings of timm and transformers, and what their
// config.json and tensor shapes say.
#include "fixtures.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/backbone_config.h"
#include "palimpsest/format/canonical_weights.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

// A safetensors file whose tensors count on: 0, 1, 2, ... through the file.
void write_tensors(const std::filesystem::path& path, const std::vector<Tensor>& tensors) {
  std::string header, data;
  for (const Tensor& tensor : tensors) {
    std::string shape;
    std::int64_t size = 1;
    for (const std::int64_t length : tensor.shape) {
      shape += concat(shape.empty() ? "" : ",", length);
      size *= length;
    }
    const std::size_t begin = data.size();
    for (std::int64_t i = 0; i < size; ++i) {
      data += little_endian<float>({static_cast<float>(data.size() / sizeof(float))});
    }
    header += concat(header.empty() ? "{" : ",", '"', tensor.name, R"(":{"dtype":"F32","shape":[)",
                     shape, R"(],"data_offsets":[)", begin, ",", data.size(), "]}");
  }
  header += "}";
  write_bytes(path, little_endian<std::uint64_t>({header.size()}) + header + data);
}

class CheckpointTest : public FolderTest {
 protected:
  void write_index(const std::string& weight_map) const {
    write_bytes(at("model.safetensors.index.json"),
                "{\"metadata\":{},\"weight_map\":{" + weight_map + "}}");
  }
  void write_shards() const {
    write_tensors(at("model-00001-of-00002.safetensors"), {{"a", {2}}});
    write_tensors(at("model-00002-of-00002.safetensors"), {{"b", {2, 2}}, {"c", {1}}});
    write_index(R"("a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors",
                   "c":"model-00002-of-00002.safetensors")");
  }
  std::string refusal() const {
    return error_message<InputError>([&] { PretrainedWeights checkpoint(folder_); });
  }
};

TEST_F(CheckpointTest, IsOneFileOrShards) {
  write_shards();
  const PretrainedWeights shards(folder_);
  EXPECT_THAT(shards.names(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(to_floats(shards.float_tensor("b", std::vector<std::int64_t>{2, 2})),
              ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(shards.sha256(), sha256(sha256_file(at("model-00001-of-00002.safetensors")) +
                                    sha256_file(at("model-00002-of-00002.safetensors"))));
  EXPECT_THAT(error_message<InputError>([&] { shards.tensor("bb"); }),
              AllOf(HasSubstr("index.json"), HasSubstr("nearest name is \"b\"")));

  write_tensors(at("model.safetensors"), {{"whole", {1}}});
  const PretrainedWeights whole(folder_);
  EXPECT_THAT(whole.names(), ElementsAre("whole"));
  EXPECT_EQ(whole.sha256(), sha256_file(at("model.safetensors")));
}

TEST_F(CheckpointTest, RefusesShardsThatDoNotFitTheirIndex) {
  EXPECT_THAT(refusal(), AllOf(HasSubstr("model.safetensors.index.json"), HasSubstr("neither")));
  write_shards();
  write_index(R"("a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors")");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("a tensor c"), HasSubstr("doesn't place there")));
  write_index(R"("a":"model-00001-of-00002.safetensors","d":"model-00001-of-00002.safetensors")");
  EXPECT_THAT(refusal(), HasSubstr("expected a tensor d"));
  write_index(R"("a":"../a.safetensors")");
  EXPECT_THAT(refusal(), HasSubstr("without '/'"));
  write_index(R"("a":"missing.safetensors")");
  EXPECT_THAT(refusal(), HasSubstr("missing.safetensors"));
}

std::vector<float> float_values(CanonicalWeights& weights, std::string_view name,
                                std::span<const std::int64_t> shape) {
  std::vector<float> all;
  for (const TensorView& piece : weights.pieces(name, shape)) {
    const std::vector<float> values = to_floats(piece);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

class CanonicalWeightsTest : public FolderTest {
 protected:
  PretrainedWeights with(const std::vector<Tensor>& tensors) const {
    write_tensors(at("model.safetensors"), tensors);
    return PretrainedWeights(folder_);
  }
};

TEST_F(CanonicalWeightsTest, FindsBertTensorsInEveryDialect) {
  const PretrainedWeights checkpoint =
      with({{"bert.embeddings.LayerNorm.gamma", {2}},
            {"roberta.encoder.layer.0.output.dense.weight", {2, 1}},
            {"embeddings.LayerNorm.bias", {2}},
            {"mpnet.encoder.layer.0.attention.attn.k.weight", {2, 1}},
            {"encoder.layer.0.attention.LayerNorm.bias", {2}},
            {"bert.pooler.dense.weight", {1}}});
  CanonicalWeights weights(checkpoint, bert_spellings());
  const std::vector<std::int64_t> two{2}, column{2, 1};
  EXPECT_EQ(weights.pieces("encoder.layer.0.attention.self.key.weight", column).size(), 1);
  EXPECT_EQ(weights.pieces("encoder.layer.0.attention.output.LayerNorm.bias", two).size(), 1);
  EXPECT_THAT(float_values(weights, "embeddings.LayerNorm.weight", two), ElementsAre(0, 1));
  EXPECT_THAT(float_values(weights, "encoder.layer.0.output.dense.weight", column),
              ElementsAre(2, 3));
  EXPECT_THAT(
      error_message<InputError>([&] { weights.refuse_surplus(); }),
      HasSubstr("a tensor embeddings.LayerNorm.bias (F32) that this backbone has no place for"));
  EXPECT_THAT(float_values(weights, "embeddings.LayerNorm.bias", two), ElementsAre(4, 5));
  weights.refuse_surplus();  // a pooler is known to be beside the encoder
  EXPECT_THAT(error_message<InputError>(
                  [&] { float_values(weights, "encoder.layer.1.output.dense.weight", column); }),
              AllOf(HasSubstr("expected a tensor roberta.encoder.layer.1.output.dense.weight"),
                    HasSubstr("nearest name is \"roberta.encoder.layer.0.output.dense.weight\"")));
  EXPECT_THAT(error_message<InputError>(
                  [&] { float_values(weights, "embeddings.LayerNorm.bias", column); }),
              AllOf(HasSubstr("expected floats [2, 1]"), HasSubstr("found F32 [2]")));
}

TEST_F(CanonicalWeightsTest, FindsVisionTensorsOfTimmAndTransformers) {
  const std::vector<std::int64_t> matrix{1, 2}, vector{2};
  const PretrainedWeights timm = with({{"cls_token", {1, 1, 2}},
                                       {"blocks.0.attn.qkv.weight", {3, 2}},
                                       {"blocks.0.ls1.gamma", {2}}});
  CanonicalWeights stacked(timm, vit_spellings());
  EXPECT_THAT(float_values(stacked, "class_token", vector), ElementsAre(0, 1));
  EXPECT_THAT(float_values(stacked, "blocks.0.attn.query.weight", matrix), ElementsAre(2, 3));
  EXPECT_THAT(float_values(stacked, "blocks.0.attn.value.weight", matrix), ElementsAre(6, 7));
  EXPECT_THAT(float_values(stacked, "blocks.0.scale1", vector), ElementsAre(8, 9));
  EXPECT_THAT(stacked.shape("blocks.0.attn.key.weight"), ElementsAre(1, 2));
  EXPECT_FALSE(stacked.contains("blocks.0.attn.key.bias"));

  const PretrainedWeights old =
      with({{"vit.encoder.layer.0.attention.attention.key.weight", {1, 2}},
            {"vit.encoder.layer.0.layernorm_before.weight", {2}}});
  CanonicalWeights fourth(old, vit_spellings());
  EXPECT_THAT(float_values(fourth, "blocks.0.attn.key.weight", matrix), ElementsAre(0, 1));
  EXPECT_THAT(float_values(fourth, "blocks.0.norm1.weight", vector), ElementsAre(2, 3));

  const PretrainedWeights current =
      with({{"layers.0.attention.k_proj.weight", {1, 2}}, {"layers.0.mlp.fc1.bias", {2}}});
  CanonicalWeights fifth(current, vit_spellings());
  EXPECT_THAT(float_values(fifth, "blocks.0.attn.key.weight", matrix), ElementsAre(0, 1));
  EXPECT_THAT(float_values(fifth, "blocks.0.mlp.fc1.bias", vector), ElementsAre(2, 3));
}

// Two blocks of width 8 over a 4 x 4 grid, as timm writes them.
std::vector<Tensor> small_vit() {
  std::vector<Tensor> tensors = {{"cls_token", {1, 1, 8}},
                                 {"pos_embed", {1, 17, 8}},
                                 {"patch_embed.proj.weight", {8, 3, 7, 7}}};
  for (const char* const block : {"blocks.0.", "blocks.1."}) {
    tensors.push_back({concat(block, "norm1.weight"), {8}});
    tensors.push_back({concat(block, "mlp.fc1.weight"), {32, 8}});
    tensors.push_back({concat(block, "attn.qkv.bias"), {24}});
    tensors.push_back({concat(block, "mlp.fc2.weight"), {8, 32}});
  }
  return tensors;
}

class VitConfigTest : public FolderTest {
 protected:
  VitConfig read(const std::string& json, const std::vector<Tensor>& tensors) const {
    write_bytes(at("config.json"), json);
    write_tensors(at("model.safetensors"), tensors);
    return std::get<VitConfig>(read_backbone_config(folder_, PretrainedWeights(folder_)));
  }
  std::string refusal(const std::string& json, const std::vector<Tensor>& tensors) const {
    return error_message<InputError>([&] { read(json, tensors); });
  }
};

const std::string kTimm =
    R"({"architecture":"vit_small_patch7_28","global_pool":"avg","model_args":{"num_heads":4},
        "pretrained_cfg":{"mean":[0.1,0.2,0.3],"std":[1,2,3],"interpolation":"bilinear",
                          "crop_pct":0.95}})";
const std::string kTransformers =
    R"({"model_type":"dinov2","num_attention_heads":2,"layer_norm_eps":1e-5,"hidden_act":"gelu"})";

TEST_F(VitConfigTest, ReadsTimm) {
  const VitConfig expected{.width = 8,
                           .depth = 2,
                           .heads = 4,
                           .mlp = 32,
                           .patch = 7,
                           .grid = 4,
                           .placed = 1,
                           .mean_pooling = true,
                           .mean = {0.1, 0.2, 0.3},
                           .deviation = {1, 2, 3},
                           .interpolation = "bilinear",
                           .crop_share = 0.95};
  EXPECT_TRUE(read(kTimm, small_vit()) == expected);
}

TEST_F(VitConfigTest, ReadsTransformersAndItsPreprocessor) {
  VitConfig expected{.width = 8,
                     .depth = 2,
                     .heads = 2,
                     .mlp = 32,
                     .patch = 7,
                     .grid = 4,
                     .placed = 1,
                     .layer_norm_epsilon = 1e-5,
                     .mean = {0.485, 0.456, 0.406},
                     .deviation = {0.229, 0.224, 0.225}};
  EXPECT_TRUE(read(kTransformers, small_vit()) == expected);
  write_bytes(at("preprocessor_config.json"),
              R"({"image_mean":[0.5,0.5,0.5],"image_std":[0.25,0.25,0.25],"resample":2})");
  expected.mean = {0.5, 0.5, 0.5};
  expected.deviation = {0.25, 0.25, 0.25};
  expected.interpolation = "bilinear";
  expected.crop_share = 1;  // nothing is cropped
  EXPECT_TRUE(read(kTransformers, small_vit()) == expected);
  write_bytes(
      at("preprocessor_config.json"),
      R"({"image_mean":[0.5,0.5,0.5],"do_normalize":false,"rescale_factor":0.00392156862745098})");
  EXPECT_THAT(read(kTransformers, small_vit()).mean, ElementsAre(0, 0, 0));
  EXPECT_THAT(read(kTransformers, small_vit()).deviation, ElementsAre(1, 1, 1));
  for (const std::string other : {R"({"rescale_factor":0.0078})", R"({"do_rescale":false})"}) {
    write_bytes(at("preprocessor_config.json"), other);
    EXPECT_THAT(refusal(kTransformers, small_vit()), HasSubstr("pixels are taken from [0, 1]"));
  }
  const auto share = [&](const std::string& preprocessor) {
    write_bytes(at("preprocessor_config.json"), preprocessor);
    return read(kTransformers, small_vit()).crop_share;
  };
  EXPECT_EQ(share(R"({"size":{"shortest_edge":256},"crop_size":{"height":224,"width":224}})"),
            0.875);
  EXPECT_EQ(share(R"({"size":256,"crop_size":224})"), 0.875);
  EXPECT_EQ(share(R"({"size":256,"crop_size":224,"do_center_crop":false})"), 1);
}

TEST_F(VitConfigTest, ReadsOptionsOffTheTensors) {
  std::vector<Tensor> tensors = small_vit();
  tensors[0] = {"reg_token", {1, 4, 8}};  // no class token
  tensors[1].shape = {1, 16, 8};          // positions of the patches alone
  tensors.push_back({"blocks.0.ls1.gamma", {8}});
  tensors.push_back({"blocks.0.attn.q_norm.weight", {2}});
  tensors.push_back({"fc_norm.weight", {8}});
  tensors[4].shape = {64, 8};  // fc1: a gated MLP
  const VitConfig config = read(kTimm, tensors);
  EXPECT_FALSE(config.class_token);
  EXPECT_EQ(config.registers, 4);
  EXPECT_EQ(config.placed, 0);
  EXPECT_EQ(config.grid, 4);
  EXPECT_TRUE(config.layer_scale && config.query_key_norm && config.norm_after_pooling);
  EXPECT_TRUE(config.swiglu);
  EXPECT_EQ(config.mlp, 32);
}

TEST_F(VitConfigTest, RefusesWhatItCannotBe) {
  const auto changed = [](std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<Tensor> good = small_vit();
  EXPECT_THAT(refusal(changed(kTimm, "vit_small_patch7_28", "resnet50"), good),
              AllOf(HasSubstr("architecture"), HasSubstr("resnet50")));
  EXPECT_THAT(refusal(changed(kTimm, "\"num_heads\":4", ""), good), HasSubstr("width 8"));
  EXPECT_THAT(refusal(changed(kTimm, "\"avg\"", "\"map\""), good), HasSubstr("global_pool"));
  EXPECT_THAT(refusal(changed(kTimm, "num_heads", "heads"), good),
              HasSubstr("model_args.heads is 4: expected timm's default"));
  EXPECT_THAT(refusal(changed(kTimm, ":4", ":3"), good), HasSubstr("3 heads"));
  EXPECT_THAT(refusal(changed(kTimm, "[1,2,3]", "[1,0,3]"), good), HasSubstr("above 0"));
  EXPECT_THAT(refusal(changed(kTimm, "bilinear", "nearest"), good), HasSubstr("nearest"));
  EXPECT_THAT(refusal(changed(kTransformers, "dinov2", "swin"), good),
              AllOf(HasSubstr("model_type"), HasSubstr("swin")));
  EXPECT_THAT(refusal(changed(kTransformers, "gelu", "relu"), good), HasSubstr("hidden_act"));
  for (const std::string wrong :
       {R"("num_hidden_layers":12)", R"("hidden_size":16)", R"("patch_size":14)",
        R"("qkv_bias":false)", R"("use_swiglu_ffn":true)", R"("num_channels":1)", R"("head_dim":8)",
        R"("quantization_config":{"bits":4})"}) {
    const std::string field = wrong.substr(1, wrong.find('"', 1) - 1);
    EXPECT_THAT(refusal(changed(kTransformers, R"("hidden_act":"gelu")", wrong), good),
                HasSubstr("config.json: " + field));
  }
  std::vector<Tensor> tensors = good;
  tensors[1].shape = {1, 19, 8};
  EXPECT_THAT(refusal(kTimm, tensors), HasSubstr("square grid"));
  tensors = good;
  tensors[2].shape = {8, 1, 7, 7};
  EXPECT_THAT(refusal(kTimm, tensors), HasSubstr("[width, 3, patch, patch]"));
  tensors = good;
  tensors.pop_back();  // fc2 of the second block: found when the model is made
  EXPECT_EQ(read(kTimm, tensors).depth, 2);
}

}  // namespace
}  // namespace palimpsest
