#include "fixtures.h"
#include "palimpsest/format/safetensors.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SafetensorsWriterTest : public FolderTest {
 protected:
  static TensorToWrite tensor(std::string name, std::vector<std::int64_t> shape,
                              std::vector<float> values) {
    return {std::move(name), std::move(shape), [values] { return values; }};
  }
};

TEST_F(SafetensorsWriterTest, WhatIsWrittenIsReadBack) {
  write_safetensors(at("a"), {tensor("z", {2, 2}, {1, 2, 3, 4}), tensor("b", {1}, {-0.5f}),
                              tensor("empty", {0}, {}), tensor("number", {}, {7})});
  const SafetensorsFile file(at("a"));
  EXPECT_THAT(file.names(), ElementsAre("b", "empty", "number", "z"));
  const std::int64_t square[] = {2, 2};
  EXPECT_THAT(to_floats(file.float_tensor("z", square)), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(to_floats(file.tensor("b")), ElementsAre(-0.5f));
  EXPECT_THAT(to_floats(file.tensor("number")), ElementsAre(7));
  const std::string bytes = read_bytes(at("a"));
  EXPECT_EQ((bytes.size() - sizeof(float) * 6) % 8, 0u) << "the data is not aligned";
  EXPECT_THAT(bytes, HasSubstr(R"("__metadata__":{"format":"pt"})"));
}

TEST_F(SafetensorsWriterTest, NothingIsWrittenThatDoesNotFit) {
  EXPECT_THAT(error_message<Error>([&] {
                write_safetensors(at("a"), {tensor("x", {3}, {1, 2})});
              }),
              HasSubstr("tensor x has 2 values; its shape needs 3"));
  EXPECT_THAT(error_message<Error>([&] {
                write_safetensors(at("a"), {tensor("x", {1}, {1}), tensor("x", {1}, {2})});
              }),
              HasSubstr("two tensors would be called x"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace palimpsest
