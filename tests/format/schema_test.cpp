// Every record that is written is as its description says, and what isn't is named;
// checkpoints_schema/ follows from the same descriptions.
#include "palimpsest/format/schema.h"

#include <nlohmann/json.hpp>

#include "../../src/format/versions.h"
#include "fixtures.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/format/verify.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(SchemaFilesTest, AreThoseOfTheDescriptions) {
  const std::filesystem::path folder = PALIMPSEST_SOURCE_DIR "/checkpoints_schema";
  ASSERT_EQ(schemas().size(), 8);
  for (const Schema& schema : schemas()) {
    const std::string page = read_file(folder / (schema.name + ".md"));
    EXPECT_EQ(read_file(folder / (schema.name + ".json")), schema.json) << "run `ninja schemas`";
    EXPECT_EQ(page, with_table(page, schema.table)) << "run `ninja schemas`";
  }
  EXPECT_THROW(with_table("its own page\n", "| a table |\n"), InputError);
}

// Else a file of this version without the field would be read as one from before it.
TEST(SchemaFilesTest, NoFieldIsOfALaterVersionThanTheFormat) {
  for (const Schema& schema : schemas()) {
    const nlohmann::json objects = nlohmann::json::parse(schema.json).at("objects");
    for (const nlohmann::json& object : objects) {
      const std::string since = object.value("since", "1.0.0");
      EXPECT_FALSE(is_version_before(kFormatVersion, since))
          << object.at("path") << " is since " << since << ": raise kFormatVersion";
    }
  }
}

class SchemaTest : public FolderTest {
 protected:
  std::vector<std::string> problems(const std::string& name) const {
    return verify(at(name)).problems;
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

TEST_F(SchemaTest, EveryMissingObjectIsNamed) {
  write_task_record(at("task.h5"), sample_task(1));
  change_hdf5(at("task.h5"), [](hid_t file) {
    H5Ldelete(file, "/merge/remark", H5P_DEFAULT);
    H5Ldelete(file, "/lora/encoder.layer.0.key/A", H5P_DEFAULT);
  });
  EXPECT_THAT(
      problems("task.h5"),
      ElementsAre(HasSubstr("/lora/encoder.layer.0.key/A: expected this object, found none"),
                  HasSubstr("/merge/remark: expected this object, found none")));
}

TEST_F(SchemaTest, AnotherTypeOrNumberOfDimensionsIsNamed) {
  write_task_record(at("task.h5"), sample_task(1));
  change_hdf5(at("task.h5"), [](hid_t file) {
    replace_dataset(file, "/head/bias", H5T_IEEE_F64LE, {2});
    replace_dataset(file, "/metrics/before_merge/samples", H5T_STD_I64LE, {2, 1});
  });
  EXPECT_THAT(problems("task.h5"),
              ElementsAre(HasSubstr("/head/bias: expected f4 [c = 2], found f8 [2]"),
                          HasSubstr("/metrics/before_merge/samples: expected i8 [index + 1 = 2], "
                                    "found i8 [2,1]")));
}

TEST_F(SchemaTest, LengthsOfOneLetterMustAgree) {
  write_task_record(at("task.h5"), sample_task(1));
  change_hdf5(at("task.h5"), [](hid_t file) {
    replace_dataset(file, "/head/bias", H5T_IEEE_F32LE, {3});
    replace_dataset(file, "/lora/encoder.layer.0.key/B", H5T_IEEE_F32LE, {3, 1});
  });
  EXPECT_THAT(problems("task.h5"),
              ElementsAre(HasSubstr("/lora/encoder.layer.0.key/B: expected f4 [out, r = 2], "
                                    "found f4 [3,1]"),
                          HasSubstr("/head/bias: expected f4 [c = 2], found f4 [3]")));
}

TEST_F(SchemaTest, APlaceholderIsTheSameNamesEverywhere) {
  write_task_record(at("task.h5"), sample_task(1));
  change_hdf5(at("task.h5"), [](hid_t file) {
    H5Lmove(file, "/fisher/encoder.layer.0.key", file, "/fisher/another", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(problems("task.h5"),
              ElementsAre(HasSubstr("/fisher: expected the same <module> as before (2: "
                                    "encoder.layer.0.key, encoder.layer.0.value), found 2: "
                                    "another, encoder.layer.0.value")));
}

TEST_F(SchemaTest, AnUnknownObjectIsAProblemUnlessTheFileIsOfALaterVersion) {
  write_task_record(at("task.h5"), sample_task(1));
  const auto add = [](hid_t file) { replace_dataset(file, "/task/future", H5T_STD_I64LE, {1}); };
  change_hdf5(at("task.h5"), add);
  EXPECT_THAT(problems("task.h5"),
              ElementsAre(HasSubstr("/task/future: expected nothing of this name")));
  change_hdf5(at("task.h5"), [](hid_t file) {
    replace_text_attribute(file, "/", "palimpsest_version", "3.99.0");
  });
  EXPECT_THAT(problems("task.h5"), ElementsAre(HasSubstr("/@content_sha256")));
}

TEST_F(SchemaTest, ATypeWithoutADescriptionIsNamed) {
  write_task_record(at("task.h5"), sample_task(1));
  change_hdf5(at("task.h5"),
              [](hid_t file) { replace_text_attribute(file, "/", "palimpsest_type", "scroll"); });
  EXPECT_THAT(problems("task.h5"), ElementsAre(HasSubstr("\"scroll\"")));
}

}  // namespace
}  // namespace palimpsest
