// Merged weights and curvature sidecars: they come back, damage is noticed, what doesn't fit is
// refused, and the tools know them.
#include "fixtures.h"
#include "palimpsest/format/differences.h"
#include "palimpsest/format/records.h"
#include "palimpsest/format/verify.h"

namespace palimpsest {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class MergedRecordTest : public FolderTest {
 protected:
  // What is wrong with it.
  template <typename Record, typename Write>
  std::string refusal(Record record, const Write& write,
                      const std::function<void(Record&)>& change) const {
    change(record);
    return error_message<Error>([&] { write(at("refused.h5"), record); });
  }
};

TEST_F(MergedRecordTest, ComesBackBitForBit) {
  const MergedRecord record = sample_merged();
  const std::string hash = write_merged_record(at("merged.h5"), record);
  EXPECT_TRUE(read_merged_record(at("merged.h5")) == record);
  EXPECT_EQ(read_identity(at("merged.h5")).type, "merged");
  EXPECT_EQ(read_identity(at("merged.h5")).content_sha256, hash);
}

TEST_F(MergedRecordTest, OfAdaptersHasNoHeads) {
  MergedRecord record = sample_merged();
  record.heads.clear();
  record.classes.clear();
  record.config = record.pack_content_sha256 = record.backbone_shape_sha256 = "";
  write_merged_record(at("merged.h5"), record);
  EXPECT_TRUE(read_merged_record(at("merged.h5")) == record);
  EXPECT_THAT(verify(at("merged.h5")).problems, IsEmpty());
}

TEST_F(MergedRecordTest, CurvatureComesBackBitForBit) {
  const CurvatureRecord record = sample_curvature();
  write_curvature_record(at("curvature.h5"), record);
  EXPECT_TRUE(read_curvature_record(at("curvature.h5")) == record);
  EXPECT_THAT(verify(at("curvature.h5")).problems, IsEmpty());
}

TEST_F(MergedRecordTest, FlippedBitsAreRefusedOrChangeNothing) {
  write_merged_record(at("merged.h5"), sample_merged());
  write_curvature_record(at("curvature.h5"), sample_curvature());
  int refused = 0;
  const auto check = [&](const char* name, const auto& read, const auto& whole) {
    each_flip(at(name), [&] {
      try {
        EXPECT_TRUE(read(at(name)) == whole);
      } catch (const InputError& error) {
        EXPECT_THAT(error.what(), HasSubstr(name));
        ++refused;
      }
    });
  };
  check("merged.h5", read_merged_record, sample_merged());
  check("curvature.h5", read_curvature_record, sample_curvature());
  EXPECT_GT(refused, kFlips / 2);
}

TEST_F(MergedRecordTest, WhatDoesNotFitIsRefused) {
  const auto merged = [&](const std::function<void(MergedRecord&)>& change) {
    return refusal<MergedRecord>(sample_merged(), write_merged_record, change);
  };
  EXPECT_THAT(merged([](auto& record) { record.weights.pop_back(); }),
              HasSubstr("/weights: expected 20 values, one for each adapted weight, found 19"));
  EXPECT_THAT(merged([](auto& record) { record.heads.pop_back(); }),
              HasSubstr("/heads: expected 1 of each, found 2"));
  EXPECT_THAT(merged([](auto& record) { record.classes[1].pop_back(); }),
              HasSubstr("/heads/1/classes: expected values of the shape [c = 2], found 1"));
  EXPECT_THAT(merged([](auto& record) { record.task_names.clear(); }),
              HasSubstr("/merge/tasks: expected values of the shape [T = 0], found 0"));
  EXPECT_THAT(merged([](auto& record) { record.weights[3] = std::nanf(""); }),
              HasSubstr("not finite"));

  const auto curvature = [&](const std::function<void(CurvatureRecord&)>& change) {
    return refusal<CurvatureRecord>(sample_curvature(), write_curvature_record, change);
  };
  EXPECT_THAT(curvature([](auto& record) { record.values[7] = -1e-9f; }),
              HasSubstr("/curvature: expected 0 or more, found -1e-09"));
  EXPECT_THAT(curvature([](auto& record) { record.samples = 0; }),
              HasSubstr("/curvature@samples: expected 1 or more, found 0"));
  EXPECT_THAT(curvature([](auto& record) { record.factor = 0; }),
              HasSubstr("/curvature@factor: expected a number above 0, found 0"));
  EXPECT_THAT(curvature([](auto& record) { record.kind = ""; }),
              HasSubstr("/curvature@kind: expected a text, found an empty one"));
  EXPECT_THAT(curvature([](auto& record) { record.values.clear(); }),
              HasSubstr("expected 20 values, one for each adapted weight, found 0"));
}

TEST_F(MergedRecordTest, AnotherTypeIsRefused) {
  write_curvature_record(at("curvature.h5"), sample_curvature());
  EXPECT_THAT(error_message<InputError>([&] { read_merged_record(at("curvature.h5")); }),
              HasSubstr("expected \"merged\", found \"curvature\""));
}

TEST_F(MergedRecordTest, DiffNamesTheWeightThatDiffers) {
  MergedRecord record = sample_merged();
  write_merged_record(at("a.h5"), record);
  record.weights[13] += 1;
  write_merged_record(at("b.h5"), record);
  const RecordComparison comparison = compare(at("a.h5"), at("b.h5"));
  ASSERT_EQ(comparison.differences.size(), 1);
  EXPECT_EQ(comparison.differences.front().field, "/weights/m.value");
  EXPECT_THAT(comparison.differences.front().how, HasSubstr("1 of 8 values, most at [0, 1]"));
}

}  // namespace
}  // namespace palimpsest
