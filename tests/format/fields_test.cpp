// A description of a record: what writing, reading and listing make of each line.
#include "../../src/format/fields.h"

#include "fixtures.h"

namespace palimpsest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

struct Part {
  std::string name;
  std::int64_t rows = 0;
  std::vector<float> values;
  bool operator==(const Part&) const = default;
};

struct Small {
  std::int64_t count = 0;
  std::string kind;
  double rate = 1;
  std::optional<double> rise;
  std::vector<double> list;
  std::vector<Part> parts;
  bool operator==(const Small&) const = default;
};

void describe(Fields& fields, Small& r) {
  fields.value("/small@count", r.count, "how many", {.least = 1, .length = "n"});
  fields.value("/small@kind", r.kind, "a text", {.least = 1});
  fields.value("/small@rate", r.rate, "new", {.unit = "nats", .since = "2.0.0"});
  fields.value("/small@rise", r.rise, "where it was measured");
  fields.array("/list", r.list, {"n"}, "a number of each");
  fields.each_named("/parts/<part>", "p", r.parts, &Part::name, false, [&](Part& part) {
    fields.array("/parts/<part>", part.values, {{"rows", part.rows}, "2"}, "two columns");
  });
}

class FieldsTest : public FolderTest {
 protected:
  static Small sample() {
    return {.count = 3,
            .kind = "toy",
            .rate = 0.5,
            .rise = {},
            .list = {1, 2, 3},
            .parts = {{"a", 1, {1, 2}}, {"b", 2, {3, 4, 5, 6}}}};
  }
  std::filesystem::path path() const { return at("small.h5"); }
  void write(Small record) const {
    H5Writer file(path(), "small");
    Fields fields(file, path());
    describe(fields, record);
    file.finish();
  }
  Small read(std::vector<std::string>* problems = nullptr) const {
    const H5File file(path(), "small");
    Fields fields(file, {}, problems);
    Small record;
    describe(fields, record);
    fields.finish();
    return record;
  }
  std::string refusal(const std::function<void(Small&)>& change) const {
    Small record = sample();
    change(record);
    return error_message<Error>([&] { write(record); });
  }
  std::string file_error(const std::function<void(hid_t)>& change) const {
    write(sample());
    change_hdf5(path(), change);
    return error_message<InputError>([&] { read(); });
  }
};

TEST_F(FieldsTest, EveryLineIsWrittenAndRead) {
  write(sample());
  EXPECT_EQ(read(), sample());
  Small record = sample();
  record.rise = -0.25;
  write(record);
  EXPECT_EQ(read(), record);
}

TEST_F(FieldsTest, ARecordThatDoesNotFitTogetherIsNotWritten) {
  EXPECT_THAT(refusal([](Small& r) { r.count = 0; }),
              HasSubstr("/small@count: expected 1 or more, found 0"));
  EXPECT_THAT(refusal([](Small& r) { r.kind = ""; }), HasSubstr("/small@kind: expected a text"));
  EXPECT_THAT(refusal([](Small& r) { r.list.pop_back(); }),
              HasSubstr("/list: expected values of the shape [n = 3], found 2"));
  EXPECT_THAT(refusal([](Small& r) { r.parts[1].rows = 3; }),
              HasSubstr("/parts/b: expected values of the shape [rows = 3, 2], found 4"));
  EXPECT_THAT(refusal([](Small& r) { std::swap(r.parts[0], r.parts[1]); }),
              HasSubstr("order of names"));
  EXPECT_THAT(refusal([](Small& r) { r.parts[0].name = "a@b"; }), HasSubstr("\"a@b\""));
  EXPECT_THAT(refusal([](Small& r) { r.rate = std::nan(""); }), HasSubstr("not finite"));
}

TEST_F(FieldsTest, AFileThatDoesNotFitTogetherIsRefused) {
  EXPECT_THAT(
      file_error([](hid_t file) { H5Adelete_by_name(file, "/small", "rate", H5P_DEFAULT); }),
      AllOf(HasSubstr("/small@rate"), HasSubstr("found none")));
  EXPECT_THAT(file_error([](hid_t file) { replace_dataset(file, "/list", H5T_IEEE_F64LE, {4}); }),
              HasSubstr("/list: expected f8 [n = 3], found f8 [4]"));
  EXPECT_THAT(file_error([](hid_t file) { replace_dataset(file, "/list", H5T_STD_I64LE, {3}); }),
              HasSubstr("/list: expected f8 [n = 3], found i8 [3]"));
  EXPECT_THAT(file_error([](hid_t file) {
                replace_dataset(file, "/parts/b", H5T_IEEE_F32LE, {2, 3});
              }),
              HasSubstr("/parts/b: expected f4 [rows, 2], found f4 [2,3]"));
  EXPECT_THAT(file_error([](hid_t file) { replace_dataset(file, "/more", H5T_IEEE_F32LE, {2}); }),
              HasSubstr("/more: expected nothing of this name"));
}

TEST_F(FieldsTest, AllProblemsOfAFileAreFound) {
  write(sample());
  change_hdf5(path(), [](hid_t file) {
    H5Adelete_by_name(file, "/small", "kind", H5P_DEFAULT);
    replace_dataset(file, "/parts/b", H5T_IEEE_F32LE, {2, 3});
    replace_dataset(file, "/more", H5T_IEEE_F32LE, {2});
  });
  std::vector<std::string> problems;
  read(&problems);
  EXPECT_THAT(problems,
              ElementsAre(HasSubstr("/small@kind"), HasSubstr("/parts/b"), HasSubstr("/more")));
}

TEST_F(FieldsTest, AnEarlierVersionNeedNotHaveANewField) {
  write(sample());
  change_hdf5(path(), [](hid_t file) {
    H5Adelete_by_name(file, "/small", "rate", H5P_DEFAULT);
    replace_text_attribute(file, "/", "palimpsest_version", "1.2.0");
  });
  EXPECT_EQ(read().rate, 1);
}

TEST_F(FieldsTest, ListsWhatAFileMayHave) {
  Fields fields("2.0.0");
  Small record;
  describe(fields, record);
  ASSERT_EQ(fields.listed().size(), 6u);
  EXPECT_THAT(fields.listed()[2],
              AllOf(Field(&ListedField::path, "/small@rate"), Field(&ListedField::type, "f8"),
                    Field(&ListedField::dims, IsEmpty()), Field(&ListedField::meaning, "new"),
                    Field(&ListedField::unit, "nats"), Field(&ListedField::since, "2.0.0"),
                    Field(&ListedField::may_be_missing, false)));
  EXPECT_TRUE(fields.listed()[3].may_be_missing);
  EXPECT_THAT(fields.listed()[5],
              AllOf(Field(&ListedField::path, "/parts/<part>"), Field(&ListedField::type, "f4"),
                    Field(&ListedField::dims, ElementsAre("rows", "2"))));
}

}  // namespace
}  // namespace palimpsest
