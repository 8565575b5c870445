#include <gmock/gmock.h>

#include <csignal>
#include <fstream>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/random.h"

namespace palimpsest {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  std::filesystem::path folder_;
};

TEST_F(Files, Sha256GivesThePublishedAnswers) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  write_file_atomically(folder_ / "abc", "abc");
  EXPECT_EQ(sha256_file(folder_ / "abc"), sha256("abc"));
  EXPECT_THROW(sha256_file(folder_ / "missing"), InputError);
}

// RFC 3720, appendix B.4.
TEST_F(Files, Crc32cGivesThePublishedAnswers) {
  const std::vector<std::byte> zeros(32, std::byte{0}), ones(32, std::byte{0xff});
  EXPECT_EQ(crc32c(zeros), 0x8a9136aau);
  EXPECT_EQ(crc32c(ones), 0x62a8ab43u);
  const std::string_view digits = "123456789";
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits))), 0xe3069283u);
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits.substr(4))),
                   crc32c(std::as_bytes(std::span(digits.substr(0, 4))))),
            0xe3069283u);
}

TEST_F(Files, Crc32cIsTheSameByInstructionAndByTable) {
  std::vector<std::byte> bytes(1003);
  RandomStream random(1, Purpose::kTest, 0, 0);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(256));
  for (std::size_t size = 0; size <= bytes.size(); size += 59) {
    const auto part = std::span(bytes).subspan(size % 7, size - size % 7);
    EXPECT_EQ(crc32c(part, 5, true), crc32c(part, 5, false)) << size;
  }
}

TEST_F(Files, AnAtomicFileAppearsOnlyWhenCommitted) {
  {
    AtomicFile file(folder_ / "target");
    std::ofstream(file.temporary()) << "half";
    EXPECT_FALSE(std::filesystem::exists(folder_ / "target"));
  }
  EXPECT_EQ(entries(), 0u);
  write_file_atomically(folder_ / "target", "old");
  write_file_atomically(folder_ / "target", "new");
  EXPECT_EQ(read_file(folder_ / "target"), "new");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, AFailedWriteNamesTheFileAndLeavesTheOldOne) {
  const std::filesystem::path missing = folder_ / "no-such-folder" / "target";
  EXPECT_THAT([&] { write_file_atomically(missing, "x"); },
              testing::ThrowsMessage<Error>(testing::AllOf(testing::HasSubstr("no-such-folder"),
                                                           testing::HasSubstr("No such file"))));
  EXPECT_THAT([&] { read_file(missing); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr(missing.string())));
}

TEST_F(Files, AnEmptyFileReadsAsEmpty) {
  write_file_atomically(folder_ / "empty", "");
  EXPECT_EQ(read_file(folder_ / "empty"), "");
}

// Who waits for a long file hears of its parts.
TEST_F(Files, ReadingWritingAndHashingReportProgress) {
  const std::string content(std::size_t{20} << 20, 'x');
  int heard = 0;
  const auto count = [&](const auto& work) {
    heard = 0;
    work();
    return heard;
  };
  const ProgressListener listener([&] { ++heard; });
  EXPECT_GE(count([&] { write_file_atomically(folder_ / "a", content); }), 3);
  EXPECT_GE(count([&] { copy_content(folder_ / "a", folder_ / "b"); }), 3);
  EXPECT_GE(count([&] { sha256_file(folder_ / "a"); }), 20);
  EXPECT_GE(count([&] { sha256(content); }), 20);
  EXPECT_EQ(sha256_file(folder_ / "b"), sha256(content));
  EXPECT_THROW(copy_content(folder_ / "missing", folder_ / "c"), Error);
  EXPECT_EQ(entries(), 2u);
}

class FilesDeathTest : public Files {};

// Of a program that a signal ends in the middle of a file.
TEST_F(FilesDeathTest, ASignalLeavesNoTemporaryFileAndTheExitCodeOfAShell) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const std::pair<int, int> cases[] = {
      {SIGINT, 130}, {SIGTERM, 143}, {SIGHUP, 129}, {SIGUSR1, 143}};
  for (const auto& [signal, code] : cases) {
    const auto stopped = [&, asked = signal] {
      end_on_signals("palimpsest-test");
      const AtomicFile file(folder_ / "a.h5");
      std::ofstream(file.temporary()) << "half";
      std::raise(asked);
    };
    EXPECT_EXIT(stopped(), testing::ExitedWithCode(code), "palimpsest-test: stopped by a signal");
    EXPECT_EQ(entries(), 0u) << code;
  }
}

}  // namespace
}  // namespace palimpsest
