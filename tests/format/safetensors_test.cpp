#include "palimpsest/format/safetensors.h"

#include <cmath>

#include "fixtures.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class SafetensorsTest : public FolderTest {
 protected:
  std::filesystem::path path() const { return at("model.safetensors"); }

  void write(const std::string& header, const std::string& data) const {
    write_bytes(path(), little_endian<std::uint64_t>({header.size()}) + header + data);
  }
  std::string refusal() const {
    return error_message<InputError>([&] { SafetensorsFile file(path()); });
  }
  std::string refusal(const std::string& header, const std::string& data) const {
    write(header, data);
    return refusal();
  }
};

const std::string kEight(8, '\0');

TEST_F(SafetensorsTest, ReadsEveryFloatType) {
  write(R"({"__metadata__":{"format":"pt"},)"
        R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
        R"("b":{"dtype":"F16","shape":[2,1],"data_offsets":[8,12]},)"
        R"("c":{"dtype":"BF16","shape":[1],"data_offsets":[12,14]},)"
        R"("d":{"dtype":"F64","shape":[],"data_offsets":[14,22]},)"
        R"("e":{"dtype":"I64","shape":[0],"data_offsets":[22,22]}}   )",
        little_endian<float>({1.5f, -2.0f}) + little_endian<std::uint16_t>({0x3c00, 0xc100}) +
            little_endian<std::uint16_t>({0x4049}) + little_endian<double>({0.1}));
  const SafetensorsFile file(path());
  EXPECT_THAT(file.names(), ElementsAre("a", "b", "c", "d", "e"));
  const auto floats = [&](const char* name, std::vector<std::int64_t> shape) {
    return to_floats(file.float_tensor(name, shape));
  };
  EXPECT_THAT(floats("a", {2}), ElementsAre(1.5f, -2.0f));
  EXPECT_THAT(floats("b", {2, 1}), ElementsAre(1.0f, -2.5f));
  EXPECT_THAT(floats("c", {1}), ElementsAre(3.140625f));
  EXPECT_THAT(floats("d", {}), ElementsAre(0.1f));
  EXPECT_TRUE(file.tensor("e").bytes.empty());
}

TEST_F(SafetensorsTest, WidensHalfPrecisionExactly) {
  const auto float_from_half = [](std::uint16_t bits) {
    return to_floats({.dtype = "F16",
                      .shape = {1},
                      .bytes = std::as_bytes(std::span(&bits, 1)),
                      .place = {}})
        .at(0);
  };
  EXPECT_EQ(float_from_half(0x0001), std::ldexp(1.0f, -24));
  EXPECT_EQ(float_from_half(0x83ff), -std::ldexp(1023.0f, -24));
  EXPECT_EQ(float_from_half(0x0400), std::ldexp(1.0f, -14));
  EXPECT_EQ(float_from_half(0x7bff), 65504.0f);
  EXPECT_EQ(float_from_half(0x7c00), INFINITY);
  EXPECT_TRUE(std::isnan(float_from_half(0x7e00)));
  EXPECT_TRUE(std::signbit(float_from_half(0x8000)));
}

TEST_F(SafetensorsTest, NamesTheNearestTensorAndTheShapeFound) {
  write(R"({"key.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
        R"("ids":{"dtype":"I64","shape":[0],"data_offsets":[8,8]}})",
        kEight);
  const SafetensorsFile file(path());
  EXPECT_THAT(
      error_message<InputError>([&] { file.tensor("kay.weight"); }),
      AllOf(HasSubstr("model.safetensors"), HasSubstr("kay.weight"), HasSubstr("\"key.weight\"")));
  const std::vector<std::int64_t> wrong = {1, 2};
  EXPECT_THAT(error_message<InputError>([&] { file.float_tensor("key.weight", wrong); }),
              AllOf(HasSubstr("[1, 2]"), HasSubstr("F32 [2]")));
  const std::vector<std::int64_t> empty = {0};
  EXPECT_THAT(error_message<InputError>([&] { file.float_tensor("ids", empty); }),
              HasSubstr("I64 [0]"));
}

TEST_F(SafetensorsTest, ATypeThatIsNotReadOnlyMattersWhereItIsNeeded) {
  for (const std::string type : {"Q3", "F8_E8M0", "F8_E4M3", "I8", "BOOL"}) {
    write(R"({"a":{"dtype":")" + type + R"(","shape":[4],"data_offsets":[0,4]},)" +
              R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          little_endian<float>({0, 2}));
    const SafetensorsFile file(path());
    EXPECT_THAT(file.names(), ElementsAre("a", "b"));
    EXPECT_THAT(to_floats(file.float_tensor("b", std::vector<std::int64_t>{1})), ElementsAre(2));
    EXPECT_THAT(
        error_message<InputError>([&] { file.float_tensor("a", std::vector<std::int64_t>{4}); }),
        AllOf(HasSubstr("tensor a: expected floats [4], found " + type),
              HasSubstr("F32, F16, BF16 and F64 are read")));
  }
  write(R"({"a":{"dtype":"F4","shape":[2,8],"data_offsets":[0,8]}})", kEight);
  EXPECT_EQ(SafetensorsFile(path()).tensor("a").bytes.size(), 8);
}

TEST_F(SafetensorsTest, RefusesFilesThatAreTooShort) {
  write_bytes(path(), "");
  EXPECT_THAT(refusal(), HasSubstr("at least 8 bytes"));
  write_bytes(path(), "1234567");
  EXPECT_THAT(refusal(), HasSubstr("at least 8 bytes"));
  write_bytes(path(), little_endian<std::uint64_t>({50}) + "{}");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("at most 2 bytes"), HasSubstr("found 50")));
  write_bytes(path(), little_endian<std::uint64_t>({UINT64_MAX}) + "{}");
  EXPECT_THAT(refusal(), HasSubstr("at most 2 bytes"));
  std::filesystem::remove(path());
  EXPECT_THAT(refusal(), HasSubstr("cannot be read"));
}

TEST_F(SafetensorsTest, NamesOtherFormatsThatHaveItsName) {
  const std::pair<std::string, const char*> cases[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"},
      {"PK\x03\x04 and the rest of a zip", "torch.save"},
      {"\x80\x02}q\x01(X\x06 and more", "a pickle"},
      {"GGUF\x03 and more of it", "GGUF"},
      {"<!DOCTYPE html><html>404</html>", "the download failed"}};
  for (const auto& [bytes, found] : cases) {
    write_bytes(path(), bytes);
    EXPECT_THAT(refusal(), AllOf(HasSubstr("expected a safetensors file"), HasSubstr(found)));
  }
}

TEST_F(SafetensorsTest, RefusesAHeaderAboveTheLimitOfTheFormat) {
  write_bytes(path(), little_endian<std::uint64_t>({100'000'001}) + "{}");
  std::filesystem::resize_file(path(), 100'000'100);
  EXPECT_THAT(refusal(), HasSubstr("at most 100000000 bytes"));
}

TEST_F(SafetensorsTest, RefusesAHeaderThatIsNoJsonObject) {
  EXPECT_THAT(refusal("", ""), HasSubstr("expected a JSON object"));
  EXPECT_THAT(refusal(" {}", ""), HasSubstr("expected a JSON object"));
  EXPECT_THAT(refusal("{\"a\":", ""), HasSubstr("syntax error"));
  EXPECT_THAT(refusal("{\"a\":3}", ""), HasSubstr("tensor a: expected an object"));
}

TEST_F(SafetensorsTest, RefusesANameThatIsThereTwice) {
  EXPECT_THAT(refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                      R"("a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                      kEight),
              AllOf(HasSubstr("\"a\""), HasSubstr("twice")));
  EXPECT_THAT(
      refusal(R"({"a":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}})", kEight),
      AllOf(HasSubstr("\"dtype\""), HasSubstr("twice")));
}

TEST_F(SafetensorsTest, RefusesMissingAndMistypedFields) {
  EXPECT_THAT(refusal(R"({"a":{"shape":[8],"data_offsets":[0,8]}})", kEight), HasSubstr("a.dtype"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"U8","data_offsets":[0,8]}})", kEight),
              HasSubstr("a.shape"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"U8","shape":[8]}})", kEight), HasSubstr("a.data_offsets"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F8_E8M0","shape":[9],"data_offsets":[0,8]}})", kEight),
              HasSubstr("expected 9 bytes for F8_E8M0"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F4","shape":[15],"data_offsets":[0,8]}})", kEight),
              HasSubstr("F4 [15]"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"U8","shape":[-8],"data_offsets":[0,8]}})", kEight),
              HasSubstr("a.shape"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}})", kEight),
              HasSubstr("a.shape"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,4,8]}})", kEight),
              HasSubstr("a.data_offsets"));
}

TEST_F(SafetensorsTest, RefusesOffsetsBackwardsOrBeyondTheEnd) {
  EXPECT_THAT(refusal(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}})", kEight),
              HasSubstr("an extent inside the 8 bytes"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", kEight),
              HasSubstr("an extent inside the 8 bytes"));
}

TEST_F(SafetensorsTest, RefusesSizesThatDoNotFitTheShape) {
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", kEight),
              AllOf(HasSubstr("expected 12 bytes for F32 [3]"), HasSubstr("found 8")));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"F64","shape":[2305843009213693953],)"
                      R"("data_offsets":[0,8]}})",
                      kEight),
              HasSubstr("below 2^64"));
}

TEST_F(SafetensorsTest, RefusesHolesOverlapsAndBytesThatBelongToNoTensor) {
  const auto two = [](const char* first, const char* second) {
    return std::string(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)") + first +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}";
  };
  const std::string nine(9, '\0');
  EXPECT_THAT(refusal(two("[0,4]", "[5,9]"), nine), HasSubstr("no holes"));
  EXPECT_THAT(refusal(two("[0,4]", "[3,7]"), kEight), HasSubstr("no overlaps"));
  EXPECT_THAT(refusal(two("[0,4]", "[0,4]"), kEight), HasSubstr("no overlaps"));
  EXPECT_THAT(refusal(two("[1,5]", "[5,9]"), nine), HasSubstr("begins at offset 0"));
  EXPECT_THAT(refusal(two("[0,4]", "[4,8]"), nine), HasSubstr("expected 8 bytes of tensors"));
}

}  // namespace
}  // namespace palimpsest
