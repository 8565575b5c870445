// Every record that is written is as checkpoints_schema/ describes it, and what isn't is named.
#include "../../src/format/schema.h"

#include <nlohmann/json.hpp>

#include "../../src/format/content_hash.h"
#include "fixtures.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(SchemaTextsTest, SayWhatTheContentHashCovers) {
  ASSERT_EQ(schema_texts().size(), 7);
  for (const std::string_view text : schema_texts()) {
    const auto schema = nlohmann::json::parse(text);
    for (const auto& object : schema.at("objects")) {
      const std::string path = object.at("path");
      EXPECT_EQ(is_hashed(path), object.at("hashed").get<bool>()) << schema.at("describes") << path;
    }
  }
}

class SchemaTest : public FolderTest {
 protected:
  std::vector<std::string> problems(const std::string& name) const {
    return schema_problems(H5File(at(name), ""));
  }
};

TEST_F(SchemaTest, EveryRecordIsAsDescribed) {
  write_task_record(at("task.h5"), sample_task(1));
  write_task_record(at("frozen-task.h5"), frozen_task(0));
  write_state_record(at("state.h5"), sample_state(2));
  write_state_record(at("frozen-state.h5"), frozen_state(2));
  write_step_record(at("step.h5"), sample_step(2, 17));
  write_merged_record(at("merged.h5"), sample_merged());
  write_curvature_record(at("curvature.h5"), sample_curvature());
  for (const char* name : {"task.h5", "frozen-task.h5", "state.h5", "frozen-state.h5", "step.h5",
                           "merged.h5", "curvature.h5"}) {
    EXPECT_THAT(problems(name), IsEmpty()) << name;
  }
}

TEST_F(SchemaTest, AMissingObjectIsNamed) {
  write_task_record(at("task.h5"), sample_task(1));
  change_hdf5(at("task.h5"), [](hid_t file) {
    H5Ldelete(file, "/merge/remark", H5P_DEFAULT);
    H5Ldelete(file, "/lora/encoder.layer.0.key/A", H5P_DEFAULT);
  });
  EXPECT_THAT(problems("task.h5"),
              ElementsAre("/lora/encoder.layer.0.key/A: missing", "/merge/remark: missing"));
}

TEST_F(SchemaTest, AnotherTypeOrNumberOfDimensionsIsNamed) {
  write_task_record(at("task.h5"), sample_task(1));
  change_hdf5(at("task.h5"), [](hid_t file) {
    replace_dataset(file, "/head/bias", H5T_IEEE_F64LE, {2});
    replace_dataset(file, "/metrics/before_merge/samples", H5T_STD_I64LE, {2, 1});
  });
  EXPECT_THAT(
      problems("task.h5"),
      ElementsAre("/head/bias: expected f4 [c], found f8 [2]",
                  "/metrics/before_merge/samples: expected i8 [index + 1 = 2], found i8 [2,1]"));
}

TEST_F(SchemaTest, LengthsOfOneLetterMustAgree) {
  write_task_record(at("task.h5"), sample_task(1));
  change_hdf5(at("task.h5"), [](hid_t file) {
    replace_dataset(file, "/head/bias", H5T_IEEE_F32LE, {3});
    replace_dataset(file, "/lora/encoder.layer.0.key/B", H5T_IEEE_F32LE, {3, 1});
  });
  EXPECT_THAT(
      problems("task.h5"),
      ElementsAre("/head/weight: expected f4 [c = 3, features], found f4 [2,3]",
                  "/lora/encoder.layer.0.key/B: expected f4 [out = 3, r = 2], found f4 [3,1]",
                  "/task/classes: expected str [c = 3], found str [2]"));
}

TEST_F(SchemaTest, AnUnknownObjectIsAProblemUnlessTheFileIsOfALaterVersion) {
  write_task_record(at("task.h5"), sample_task(1));
  const auto add = [](hid_t file) { replace_dataset(file, "/task/future", H5T_STD_I64LE, {1}); };
  change_hdf5(at("task.h5"), add);
  EXPECT_THAT(problems("task.h5"),
              ElementsAre("/task/future: expected nothing of this name in a task"));
  change_hdf5(at("task.h5"), [](hid_t file) {
    replace_text_attribute(file, "/", "palimpsest_version", "2.99.0");
  });
  EXPECT_THAT(problems("task.h5"), IsEmpty());
}

TEST_F(SchemaTest, ATypeWithoutASchemaIsNamed) {
  write_task_record(at("task.h5"), sample_task(1));
  change_hdf5(at("task.h5"),
              [](hid_t file) { replace_text_attribute(file, "/", "palimpsest_type", "scroll"); });
  EXPECT_THAT(problems("task.h5"), ElementsAre(HasSubstr("\"scroll\"")));
}

}  // namespace
}  // namespace palimpsest
