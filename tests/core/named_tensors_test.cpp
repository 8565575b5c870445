#include "palimpsest/core/named_tensors.h"

#include <gmock/gmock.h>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

NamedTensor floats(TensorDims dims, std::vector<float> values) {
  return {.dims = std::move(dims), .values = std::move(values)};
}

TEST(NamedTensors, GiveWhatWasPutByNameTypeAndShape) {
  NamedTensors memory;
  memory.put("head/linear/0/weight", floats({2, 2}, {1, 2, 3, 4}));
  EXPECT_TRUE(memory.contains("head/linear/0/weight"));
  EXPECT_THAT(memory.values<float>("head/linear/0/weight", {2, kAnySize}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT([&] { memory.values<float>("head/linear/0/bias", {2}); },
              ThrowsMessage<Error>("head/linear/0/bias: expected this tensor, found none"));
  EXPECT_THAT(
      [&] {
        memory.values<double>("head/linear/0/weight", {kAnySize, 2});
      },
      ThrowsMessage<Error>("head/linear/0/weight: expected float64 [n, 2], found float32 [2, 2]"));
  EXPECT_THAT([&] { memory.take<float>("head/linear/0/weight", {4}); },
              ThrowsMessage<Error>(HasSubstr("expected float32 [4], found float32 [2, 2]")));
}

TEST(NamedTensors, TakeMovesTheValuesOut) {
  NamedTensors memory;
  std::vector<double> values(100, 0.5);
  const double* const place = values.data();
  memory.put("curvature/empirical:scale=none/s0",
             {.dims = {100}, .values = std::move(values), .keeper = Keeper::kRoot});
  EXPECT_EQ(memory.take<double>("curvature/empirical:scale=none/s0", {kAnySize}).data(), place);
  EXPECT_TRUE(memory.empty());
}

TEST(NamedTensors, NamesAreListedAndErasedByTheirFirstParts) {
  NamedTensors memory;
  for (const char* name : {"head/linear/10/bias", "head/linear/1/bias", "head/linear2/1/bias"})
    memory.put(name, floats({1}, {0}));
  EXPECT_THAT(memory.names("head/linear"),
              ElementsAre("head/linear/1/bias", "head/linear/10/bias"));
  EXPECT_THAT(memory.names("head/linear/1"), ElementsAre("head/linear/1/bias"));
  EXPECT_EQ(memory.names("head").size(), 3u);
  EXPECT_EQ(instance_name("head/linear/10/bias"), "head/linear");
  memory.erase("head/linear");
  EXPECT_THAT(memory.names(), ElementsAre("head/linear2/1/bias"));
}

TEST(NamedTensors, RefuseNamesAndShapesThatNoFileCouldHave) {
  NamedTensors memory;
  for (const char* name : {"", "head/linear", "head//weight", "head/../weight", "/head/linear/bias",
                           "head/lin@ear/bias", "a/b/c/d/e/f", "head/linear/"}) {
    EXPECT_THAT([&] { memory.put(name, floats({1}, {0})); },
                ThrowsMessage<Error>(HasSubstr("expected <part>/<instance>/<name>")))
        << name;
  }
  EXPECT_THAT(
      [&] {
        memory.put("a/b/c", floats({2, 2}, {1, 2, 3}));
      },
      ThrowsMessage<Error>("a/b/c: expected values of the shape [2, 2], found 3"));
  EXPECT_THAT([&] { memory.put("a/b/c", floats({0}, {})); },
              ThrowsMessage<Error>(HasSubstr("found 0")));
  memory.put("a/b/c", floats({}, {7}));
  EXPECT_THAT(memory.values<float>("a/b/c", {}), ElementsAre(7));
}

}  // namespace
}  // namespace palimpsest
