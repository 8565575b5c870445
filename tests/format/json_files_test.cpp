#include "fixtures.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/backbone_config.h"
#include "palimpsest/format/protocol.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// `text` with one part of it replaced.
std::string changed(std::string text, const std::string& from, const std::string& to) {
  const std::size_t found = text.find(from);
  EXPECT_NE(found, std::string::npos) << from;
  return text.replace(found, from.size(), to);
}

const std::string kProtocol =
    R"({"palimpsest_type":"protocol","palimpsest_version":"1.2.0","name":"debian-sections",
        "order":"seed 1","train_per_class":60,"test_per_class":50,
        "tasks":[{"name":"task 1","classes":["admin","net"]},{"name":"task 2","classes":["x11"]}]})";

class ProtocolTest : public FolderTest {
 protected:
  std::string refusal(const std::string& from, const std::string& to) const {
    write_bytes(at("p.json"), changed(kProtocol, from, to));
    return error_message<InputError>([&] { read_protocol(at("p.json")); });
  }
};

TEST_F(ProtocolTest, ReadsTasksInTheirOrder) {
  write_bytes(at("p.json"), kProtocol);
  const Protocol protocol = read_protocol(at("p.json"));
  EXPECT_EQ(protocol.name, "debian-sections");
  EXPECT_EQ(protocol.train_per_class, 60);
  EXPECT_EQ(protocol.test_per_class, 50);
  ASSERT_EQ(protocol.tasks.size(), 2u);
  EXPECT_EQ(protocol.tasks[1].name, "task 2");
  EXPECT_THAT(protocol.tasks[0].classes, ElementsAre("admin", "net"));
}

TEST_F(ProtocolTest, RefusesWhatIsNoProtocol) {
  EXPECT_THAT(refusal("{", "["), AllOf(HasSubstr("p.json"), HasSubstr("syntax error at byte")));
  EXPECT_THAT(refusal("\"protocol\"", "\"pack\""),
              AllOf(HasSubstr("palimpsest_type"), HasSubstr("\"pack\"")));
  EXPECT_THAT(refusal("1.2.0", "4.0.0"),
              AllOf(HasSubstr("palimpsest_version"), HasSubstr("4.0.0")));
  write_bytes(at("p.json"), "[]");
  EXPECT_THAT(error_message<InputError>([&] { read_protocol(at("p.json")); }),
              HasSubstr("JSON object"));
}

TEST_F(ProtocolTest, RefusesMissingAndMistypedFields) {
  EXPECT_THAT(refusal("\"name\":\"debian", "\"nom\":\"debian"),
              AllOf(HasSubstr("name: expected a text"), HasSubstr("found nothing")));
  EXPECT_THAT(refusal("60", "-1"), AllOf(HasSubstr("train_per_class"), HasSubstr("at least 0")));
  EXPECT_THAT(refusal("50", "50.5"), HasSubstr("test_per_class"));
  EXPECT_THAT(refusal("[\"x11\"]", "\"x11\""), HasSubstr("tasks[1].classes: expected a list"));
  EXPECT_THAT(refusal("\"x11\"", "11"), HasSubstr("tasks[1].classes"));
}

TEST_F(ProtocolTest, RefusesEmptyTasksAndRepeatedClasses) {
  EXPECT_THAT(refusal("\"x11\"", ""), HasSubstr("tasks[1].classes: expected at least one class"));
  EXPECT_THAT(refusal("\"x11\"", "\"net\""), AllOf(HasSubstr("\"net\""), HasSubstr("twice")));
  EXPECT_THAT(refusal(kProtocol.substr(kProtocol.find("[{")), "[]}"),
              HasSubstr("at least one task"));
}

TEST_F(ProtocolTest, WhatIsNotReadIsSaid) {
  write_bytes(at("p.json"), kProtocol);
  EXPECT_THAT(remarks_on(read_protocol(at("p.json")), "ab12"), IsEmpty());
  std::string text = changed(kProtocol, "\"order\"", "\"seed\":1,\"order\"");
  text = changed(text, "\"classes\":[\"x11\"]", "\"classes\":[\"x11\"],\"label\":[\"X\"]");
  text = changed(text, "\"order\"", "\"pack_content_sha256\":\"ab12\",\"order\"");
  write_bytes(at("p.json"), text);
  const Protocol protocol = read_protocol(at("p.json"));
  EXPECT_THAT(remarks_on(protocol, "ab12"),
              ElementsAre("protocol 'debian-sections': fields that no protocol has, and that are "
                          "not read: seed, tasks[1].label (did you mean labels?)"));
  EXPECT_THAT(remarks_on(protocol, "cd34").back(),
              HasSubstr("made from the pack with the content hash ab12, and this one has cd34"));
}

TEST_F(ProtocolTest, LabelsAreTheClassesUnlessGiven) {
  write_bytes(at("p.json"), changed(kProtocol, "[\"admin\",\"net\"]",
                                    "[\"admin\",\"net\"],\"labels\":[\"x11\",\"office\"]"));
  const Protocol protocol = read_protocol(at("p.json"));
  EXPECT_THAT(protocol.tasks[0].classes, ElementsAre("admin", "net"));
  EXPECT_THAT(protocol.tasks[0].labels, ElementsAre("x11", "office"));
  EXPECT_THAT(protocol.tasks[1].labels,
              ElementsAre("x11"));  // whether it may be there twice: a run's
}

TEST_F(ProtocolTest, RefusesLabelsThatAreNotOneForEachClass) {
  for (const char* const labels :
       {"[\"a\"]", "[\"a\",\"b\",\"c\"]", "[\"a\",\"a\"]", "[1,2]", "\"a\""}) {
    EXPECT_THAT(refusal("[\"admin\",\"net\"]", concat("[\"admin\",\"net\"],\"labels\":", labels)),
                HasSubstr("tasks[0].labels: expected"))
        << labels;
  }
}

const std::string kBert =
    R"({"model_type":"bert","hidden_act":"gelu","hidden_size":384,"num_hidden_layers":6,
        "num_attention_heads":12,"intermediate_size":1536,"vocab_size":30522,
        "max_position_embeddings":512,"layer_norm_eps":1e-5,"position_embedding_type":"absolute"})";

class BertConfigTest : public FolderTest {
 protected:
  std::string refusal(const std::string& from, const std::string& to) const {
    write_bytes(at("config.json"), changed(kBert, from, to));
    return error_message<InputError>([&] { read_bert_config(at("config.json")); });
  }
};

TEST_F(BertConfigTest, ReadsTheShape) {
  write_bytes(at("config.json"), kBert);
  const BertConfig expected = {.hidden = 384,
                               .layers = 6,
                               .heads = 12,
                               .intermediate = 1536,
                               .vocabulary = 30522,
                               .positions = 512,
                               .type_vocabulary = 2,
                               .layer_norm_epsilon = 1e-5,
                               .hidden_act = "gelu"};
  EXPECT_TRUE(read_bert_config(at("config.json")) == expected);
}

TEST_F(BertConfigTest, LeavesOutThePositionsThatARobertaDoesNotUse) {
  write_bytes(at("config.json"), changed(changed(kBert, "\"bert\"", "\"roberta\""), ":512",
                                         ":514,\"pad_token_id\":1"));
  const BertConfig config = read_bert_config(at("config.json"));
  EXPECT_EQ(config.first_position, 2);
  EXPECT_EQ(config.positions, 512);
}

TEST_F(BertConfigTest, ReadsAnMpnet) {
  const std::string mpnet =
      changed(changed(kBert, "\"bert\"", "\"mpnet\""), ":512",
              ":514,\"pad_token_id\":7,\"relative_attention_num_buckets\":32");
  write_bytes(at("config.json"), mpnet);
  const BertConfig config = read_bert_config(at("config.json"));
  EXPECT_EQ(config.first_position, 2);  // whatever pad_token_id says
  EXPECT_EQ(config.positions, 512);
  EXPECT_EQ(config.type_vocabulary, 0);
  EXPECT_EQ(config.attention_buckets, 32);
  BertConfig without = config;
  without.attention_buckets = 0;
  EXPECT_EQ(describe(config), describe(without) + " relative 32");
  write_bytes(at("config.json"), changed(mpnet, "buckets\":32", "buckets\":64"));
  EXPECT_THAT(error_message<InputError>([&] { read_bert_config(at("config.json")); }),
              HasSubstr("relative_attention_num_buckets: expected 32, found 64"));
}

TEST_F(BertConfigTest, RefusesWhatTheEncoderDoesNotDo) {
  EXPECT_THAT(refusal("\"bert\"", "\"vit\""), AllOf(HasSubstr("model_type"), HasSubstr("vit")));
  EXPECT_THAT(refusal("\"gelu\"", "\"relu\""), HasSubstr("hidden_act"));
  EXPECT_THAT(refusal("absolute", "relative_key"), HasSubstr("position_embedding_type"));
  EXPECT_THAT(refusal(":12,", ":11,"), AllOf(HasSubstr("hidden_size"), HasSubstr("11 heads")));
  EXPECT_THAT(refusal(":6,", ":0,"), HasSubstr("num_hidden_layers"));
  EXPECT_THAT(refusal("1e-5", "0"), HasSubstr("layer_norm_eps"));
  EXPECT_THAT(refusal("vocab_size", "words"), HasSubstr("vocab_size"));
}

}  // namespace
}  // namespace palimpsest
