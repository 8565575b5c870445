#include "palimpsest/format/pack.h"

#include "fixtures.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/format/verify.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// What a pack is made of; the tests damage single fields.
struct PackContent {
  std::string kind = "tokens";
  std::int64_t vocabulary = 1000, longest = 3;
  std::vector<std::vector<std::int32_t>> samples = {{101, 7, 102}, {101, 102}, {101, 999, 102}};
  std::vector<std::string> classes = {"admin", "net"};
  std::vector<std::int32_t> labels = {0, 1, 1};
  std::vector<std::uint8_t> split = {0, 0, 1};
  std::vector<std::int64_t> offsets = {0, 12, 20, 32}, shape = {3, 2, 3};
  std::vector<std::int64_t> completions = {}, completion_offsets = {};
};

std::vector<std::uint8_t> joined_bytes(const PackContent& content) {
  std::vector<std::uint8_t> joined;
  for (const auto& sample : content.samples) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(sample.data());
    joined.insert(joined.end(), begin, begin + sample.size() * sizeof(std::int32_t));
  }
  return joined;
}

void write_pack(const std::filesystem::path& path, const PackContent& content) {
  const auto samples = static_cast<std::int64_t>(content.labels.size());
  const std::vector<std::uint8_t> bytes = joined_bytes(content);
  std::vector<std::uint32_t> checksums;
  for (const auto& sample : content.samples) {
    checksums.push_back(crc32c(std::as_bytes(std::span(sample))));
  }
  H5Writer file(path, "pack");
  file.text("/@kind", content.kind);
  file.number<std::int64_t>("/@vocabulary", content.vocabulary);
  file.number<std::int64_t>("/@longest", content.longest);
  file.text("/@source", "{}");
  file.numbers<std::uint8_t>("/bytes", {static_cast<std::int64_t>(bytes.size())}, bytes);
  file.numbers<std::int64_t>("/offsets", {samples + 1}, content.offsets);
  file.numbers<std::int64_t>("/shape", {samples, 1}, content.shape);
  file.numbers<std::uint32_t>("/crc32c", {samples}, checksums);
  file.numbers<std::int32_t>("/labels", {samples}, content.labels);
  file.numbers<std::uint8_t>("/split", {samples}, content.split);
  file.texts("/classes", content.classes);
  if (!content.completions.empty()) {
    file.numbers<std::int64_t>("/completions", {std::ssize(content.completions) / 2, 2},
                               content.completions);
    file.numbers<std::int64_t>("/completion_offsets", {samples + 1}, content.completion_offsets);
  }
  file.finish();
}

// Two completions in the first sample.
PackContent sequences() {
  PackContent content;
  content.kind = "sequences";
  content.completions = {1, 2, 2, 3, 1, 2, 2, 3};
  content.completion_offsets = {0, 2, 3, 4};
  return content;
}

class PackTest : public FolderTest {
 protected:
  std::filesystem::path path() const { return at("pack.h5"); }

  std::string refusal(const std::function<void(PackContent&)>& damage) const {
    PackContent content;
    damage(content);
    write_pack(path(), content);
    return error_message<InputError>([&] { Pack pack(path()); });
  }
};

TEST_F(PackTest, SaysWhichTokensOfASequenceArePredicted) {
  write_pack(path(), sequences());
  const Pack pack(path());
  EXPECT_TRUE(pack.has_texts());
  EXPECT_TRUE(pack.has_completions());
  ASSERT_EQ(pack.completions(0).size(), 2);
  EXPECT_EQ(pack.completions(0)[1].begin, 2);
  EXPECT_EQ(pack.completions(0)[1].end, 3);
  EXPECT_EQ(pack.completion_tokens(0), 2);
  EXPECT_EQ(pack.completion_tokens(1), 1);
  EXPECT_EQ(verify(path()).problems, std::vector<std::string>());
}

TEST_F(PackTest, RefusesCompletionsThatDoNotFit) {
  const auto refused = [&](const std::function<void(PackContent&)>& damage) {
    PackContent content = sequences();
    damage(content);
    write_pack(path(), content);
    return error_message<InputError>([&] { Pack pack(path()); });
  };
  EXPECT_THAT(refused([](PackContent& c) { c.completions[0] = 0; }),
              HasSubstr("begin and end in order, from 1 to 3, found sample 0: 0 to 2"));
  EXPECT_THAT(refused([](PackContent& c) { c.completions[2] = 1; }),
              HasSubstr("from 2 to 3, found sample 0: 1 to 3"));
  EXPECT_THAT(refused([](PackContent& c) { c.completions[5] = 3; }),
              HasSubstr("from 1 to 2, found sample 1: 1 to 3"));
  EXPECT_THAT(refused([](PackContent& c) { c.completions[6] = 3; }),
              HasSubstr("found sample 2: 3 to 3"));
  EXPECT_THAT(refused([](PackContent& c) {
                c.completion_offsets = {0, 2, 2, 4};
              }),
              HasSubstr("a completion in every sample, found sample 1: 2 to 2"));
  EXPECT_THAT(refused([](PackContent& c) { c.completion_offsets.back() = 5; }),
              HasSubstr("0 at first and 4 at last, found 0 and 5"));
  EXPECT_THAT(refused([](PackContent& c) {
                c.completion_offsets = {0, 9, 3, 4};
              }),
              HasSubstr("/completion_offsets"));
  EXPECT_THAT(refused([](PackContent& c) { c.completions.clear(); }), HasSubstr("found none"));
  EXPECT_THAT(refused([](PackContent& c) { c.kind = "tokens"; }),
              HasSubstr("none in a pack of another kind"));
}

TEST_F(PackTest, GivesEverySampleBack) {
  write_pack(path(), {});
  const Pack pack(path());
  EXPECT_EQ(pack.kind(), "tokens");
  EXPECT_EQ(pack.size(), 3);
  EXPECT_EQ(pack.vocabulary(), 1000);
  EXPECT_EQ(pack.longest(), 3);
  EXPECT_THAT(pack.classes(), ElementsAre("admin", "net"));
  EXPECT_THAT(pack.tokens(0), ElementsAre(101, 7, 102));
  EXPECT_THAT(pack.tokens(1), ElementsAre(101, 102));
  EXPECT_THAT(pack.tokens(2), ElementsAre(101, 999, 102));
  EXPECT_EQ(pack.label(2), 1);
  EXPECT_FALSE(pack.is_test(1));
  EXPECT_TRUE(pack.is_test(2));
}

TEST_F(PackTest, VerifyAgreesWithTheHashOfTheWriter) {
  write_pack(path(), {});
  const Pack pack(path());
  EXPECT_NO_THROW(pack.verify());
  EXPECT_EQ(pack.content_sha256(), read_identity(path()).content_sha256);
}

TEST_F(PackTest, FlippedBitsAreFoundBySampleAndByVerify) {
  write_pack(path(), {});
  flip_bit_at(path(), little_endian<std::int32_t>({101, 999, 102}), 4);
  const Pack pack(path());
  EXPECT_THAT(pack.tokens(0), ElementsAre(101, 7, 102));
  EXPECT_THAT(error_message<InputError>([&] { pack.tokens(2); }),
              AllOf(HasSubstr("pack.h5"), HasSubstr("sample 2"), HasSubstr("CRC-32C")));
  EXPECT_THAT(error_message<InputError>([&] { pack.verify(); }),
              AllOf(HasSubstr("/bytes"), HasSubstr("CRC-32C")));
}

// palimpsest verify names what is wrong with it, or the bit changed nothing that is ever read.
TEST_F(PackTest, AnyFlippedBitIsFoundOrChangesNothing) {
  write_pack(path(), {});
  EXPECT_THAT(verify(path()).problems, testing::IsEmpty());
  int found = 0;
  each_flip(path(), [&] {
    if (!verify(path()).problems.empty()) {
      ++found;
      return;
    }
    const Pack pack(path());
    EXPECT_THAT(pack.classes(), ElementsAre("admin", "net"));
    EXPECT_THAT(pack.tokens(0), ElementsAre(101, 7, 102));
    EXPECT_THAT(pack.tokens(1), ElementsAre(101, 102));
    EXPECT_THAT(pack.tokens(2), ElementsAre(101, 999, 102));
    for (std::int64_t sample = 0; sample < 3; ++sample) {
      EXPECT_EQ(pack.label(sample), sample > 0);
      EXPECT_EQ(pack.is_test(sample), sample > 1);
    }
  });
  EXPECT_GT(found, kFlips / 2);
}

TEST_F(PackTest, VerifyFindsAChangedLabel) {
  write_pack(path(), {});
  flip_bit_at(path(), little_endian<std::int32_t>({0, 1, 1}), 4);
  EXPECT_THAT(error_message<InputError>([&] { Pack(path()).verify(); }), HasSubstr("/labels"));
}

TEST_F(PackTest, RefusesContentThatDoesNotFitTogether) {
  EXPECT_THAT(refusal([](PackContent& c) { c.kind = "sounds"; }), HasSubstr("\"sounds\""));
  EXPECT_THAT(refusal([](PackContent& c) { c.labels[1] = 2; }),
              AllOf(HasSubstr("/labels"), HasSubstr("0 to 1"), HasSubstr("found 2")));
  EXPECT_THAT(refusal([](PackContent& c) { c.labels[1] = -1; }), HasSubstr("found -1"));
  EXPECT_THAT(refusal([](PackContent& c) { c.split[2] = 2; }), HasSubstr("/split"));
  EXPECT_THAT(refusal([](PackContent& c) { c.classes[1] = "admin"; }), HasSubstr("/classes"));
  EXPECT_THAT(refusal([](PackContent& c) { c.offsets = {4, 12, 20, 32}; }), HasSubstr("/offsets"));
  EXPECT_THAT(refusal([](PackContent& c) { c.offsets = {0, 12, 8, 32}; }), HasSubstr("sample 1"));
  EXPECT_THAT(refusal([](PackContent& c) { c.offsets = {0, 13, 21, 33}; }), HasSubstr("sample 0"));
  EXPECT_THAT(refusal([](PackContent& c) { c.shape[0] = 4; }), HasSubstr("/shape"));
  EXPECT_THAT(refusal([](PackContent& c) { c.shape[0] = 0; }), HasSubstr("/shape"));
  EXPECT_THAT(refusal([](PackContent& c) { c.longest = 4; }), HasSubstr("/@longest"));
  EXPECT_THAT(refusal([](PackContent& c) { c.samples[2].push_back(1); }), HasSubstr("/bytes"));
  EXPECT_THAT(refusal([](PackContent& c) { c.split.pop_back(), c.split.push_back(9); }),
              HasSubstr("/split"));
}

TEST_F(PackTest, RefusesTokensOutsideTheVocabulary) {
  PackContent content;
  content.vocabulary = 999;
  write_pack(path(), content);
  const Pack pack(path());
  EXPECT_THAT(error_message<InputError>([&] { pack.tokens(2); }),
              AllOf(HasSubstr("sample 2"), HasSubstr("below 999"), HasSubstr("found 999")));
}

TEST_F(PackTest, RefusesATruncatedPack) {
  write_pack(path(), {});
  const std::string whole = read_bytes(path());
  for (const std::size_t length : {whole.size() / 3, whole.size() - 1}) {
    write_bytes(path(), whole.substr(0, length));
    EXPECT_THROW(Pack pack(path()), InputError) << length;
  }
}

TEST_F(PackTest, RefusesChunkedBytesAndShapesOfAnotherLength) {
  write_pack(path(), {});
  change_hdf5(path(), [](hid_t file) {
    const H5Handle creation(H5Pcreate(H5P_DATASET_CREATE));
    const hsize_t chunk[] = {8};
    H5Pset_chunk(creation.get(), 1, chunk);
    replace_dataset(file, "/bytes", H5T_STD_U8LE, {32}, creation.get());
  });
  EXPECT_THAT(error_message<InputError>([&] { Pack pack(path()); }),
              AllOf(HasSubstr("/bytes"), HasSubstr("contiguous")));
  write_pack(path(), {});
  change_hdf5(path(), [](hid_t file) { replace_dataset(file, "/shape", H5T_STD_I64LE, {3}); });
  EXPECT_THAT(error_message<InputError>([&] { Pack pack(path()); }),
              AllOf(HasSubstr("/shape"), HasSubstr("i8 [n = 3, d]"), HasSubstr("i8 [3]")));
}

// Two images: 2 x 1 and 1 x 3 pixels.
void write_images(const std::filesystem::path& path, const std::string& kind,
                  const std::vector<std::int64_t>& shape) {
  std::vector<std::uint8_t> bytes(15);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  const auto all = std::as_bytes(std::span(bytes));
  H5Writer file(path, "pack");
  file.text("/@kind", kind);
  file.text("/@source", "{}");
  file.numbers<std::uint8_t>("/bytes", {15}, bytes);
  file.numbers<std::int64_t>("/offsets", {3}, std::vector<std::int64_t>{0, 6, 15});
  file.numbers<std::int64_t>("/shape", {2, 3}, shape);
  file.numbers<std::uint32_t>(
      "/crc32c", {2}, std::vector<std::uint32_t>{crc32c(all.first(6)), crc32c(all.subspan(6))});
  file.numbers<std::int32_t>("/labels", {2}, std::vector<std::int32_t>{0, 1});
  file.numbers<std::uint8_t>("/split", {2}, std::vector<std::uint8_t>{0, 1});
  file.texts("/classes", std::vector<std::string>{"cat", "dog"});
  file.finish();
}

TEST_F(PackTest, GivesImagesBack) {
  for (const char* const kind : {"pixels", "encoded"}) {
    write_images(path(), kind, {2, 1, 3, 1, 3, 3});
    const Pack pack(path());
    EXPECT_FALSE(pack.has_texts());
    const PackedImage image = pack.image(1);
    EXPECT_EQ(image.height, 1);
    EXPECT_EQ(image.width, 3);
    EXPECT_EQ(image.bytes.size(), 9u);
    EXPECT_EQ(image.bytes[0], std::byte{6});
  }
}

TEST_F(PackTest, RefusesImagesOfAnotherSize) {
  const auto read_error = [&](const std::string& kind, const std::vector<std::int64_t>& shape) {
    write_images(path(), kind, shape);
    return error_message<InputError>([&] { Pack pack(path()); });
  };
  EXPECT_THAT(read_error("pixels", {2, 1, 3, 2, 3, 3}),
              AllOf(HasSubstr("/offsets"), HasSubstr("18 bytes"), HasSubstr("sample 1")));
  EXPECT_THAT(read_error("pixels", {2, 1, 3, 1, 3, 1}), HasSubstr("/shape"));
  EXPECT_THAT(read_error("encoded", {2, 1, 3, 0, 3, 3}), HasSubstr("1 to 65536"));
  EXPECT_THAT(read_error("sounds", {2, 1, 3, 1, 3, 3}), HasSubstr("sounds"));
}

}  // namespace
}  // namespace palimpsest
