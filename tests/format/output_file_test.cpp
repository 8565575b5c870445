#include "palimpsest/format/output_file.h"

#include "fixtures.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;

class OutputFileTest : public FolderTest {
 protected:
  std::string refusal(const std::string& name, std::string_view type) const {
    return error_message<UsageError>([&] { check_output(at(name), type); });
  }
  std::string text_refusal(const std::string& name) const {
    return error_message<UsageError>([&] { check_text_output(at(name), "a,"); });
  }
};

TEST_F(OutputFileTest, NothingThatIsNeededIsWrittenOver) {
  write_task_record(at("task.h5"), sample_task(0));
  write_bytes(at("text"), "a,b\n");
  write_bytes(at("mine.cfg"), "batch = 2\n");
  write_bytes(at("manifest.json"), "{}");
  std::filesystem::create_directory(at("folder"));
  std::filesystem::create_symlink(at("text"), at("link"));
  EXPECT_THAT(text_refusal("task.h5"), HasSubstr("an HDF5 file"));
  EXPECT_THAT(refusal("task.h5", "merged"), HasSubstr("no file of type merged"));
  EXPECT_THAT(refusal("text", "merged"), HasSubstr("no file of type merged"));
  EXPECT_THAT(text_refusal("manifest.json"), HasSubstr("part of a run"));
  EXPECT_THAT(text_refusal("mine.cfg"), HasSubstr("a file of another kind"));
  EXPECT_THAT(text_refusal("folder"), HasSubstr("no regular file"));
  EXPECT_THAT(text_refusal("link"), HasSubstr("no regular file"));
  EXPECT_THAT(text_refusal("none/new"), HasSubstr("make it first"));
  EXPECT_THAT(text_refusal("text/new"), HasSubstr("make it first"));
  EXPECT_NO_THROW(check_output(at("task.h5"), "task"));
  EXPECT_NO_THROW(check_text_output(at("text"), "a,"));
  EXPECT_NO_THROW(check_text_output(at("new"), "a,"));
  EXPECT_NO_THROW(check_output(at("new"), "merged"));
}

}  // namespace
}  // namespace palimpsest
