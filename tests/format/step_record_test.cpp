#include "fixtures.h"
#include "palimpsest/format/records.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class StepRecordTest : public FolderTest {
 protected:
  std::filesystem::path path() const { return at("step.h5"); }
};

TEST_F(StepRecordTest, ComesBackBitForBit) {
  const StepRecord record = sample_step(2, 17);
  const std::string hash = write_step_record(path(), record);
  EXPECT_TRUE(read_step_record(path()) == record);
  EXPECT_EQ(read_identity(path()).content_sha256, hash);
  EXPECT_EQ(read_identity(path()).type, "step");
}

TEST_F(StepRecordTest, SecondsAndNumericsAreNotHashedAndMomentsAre) {
  StepRecord record = sample_step(2, 17);
  const std::string hash = write_step_record(path(), record);
  record.progress.seconds = 99;
  record.numerics = "{}";
  EXPECT_EQ(write_step_record(at("other.h5"), record), hash);
  record.progress.second_moment.lora[1].b[0] += 1;
  EXPECT_NE(write_step_record(at("another.h5"), record), hash);
}

TEST_F(StepRecordTest, RefusesToWriteWhatDoesNotFitTogether) {
  StepRecord record = sample_step(0, 401);
  EXPECT_THAT(error_message<Error>([&] { write_step_record(path(), record); }),
              HasSubstr("step 401 of 400"));
  record = sample_step(0, 10);
  record.progress.first_moment.lora.pop_back();
  EXPECT_THAT(error_message<Error>([&] { write_step_record(path(), record); }),
              HasSubstr("/moments/first/lora: expected the same <module> as before (2: "));
  record = sample_step(0, 10);
  record.progress.parameters.head.weight[0] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(error_message<Error>([&] { write_step_record(path(), record); }),
              AllOf(HasSubstr("/parameters/head/weight"), HasSubstr("finite")));
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(StepRecordTest, RefusesAnotherTypeAndDamage) {
  write_task_record(at("task.h5"), sample_task(0));
  EXPECT_THAT(error_message<InputError>([&] { read_step_record(at("task.h5")); }),
              AllOf(HasSubstr("task.h5"), HasSubstr("step")));
  write_step_record(path(), sample_step(0, 10));
  std::string bytes = read_bytes(path());
  bytes.resize(bytes.size() - 100);
  write_bytes(path(), bytes);
  EXPECT_THAT(error_message<InputError>([&] { read_step_record(path()); }), HasSubstr("step.h5"));
}

}  // namespace
}  // namespace palimpsest
