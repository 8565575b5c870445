#include "palimpsest/format/heads.h"

#include <gtest/gtest.h>

#include "palimpsest/core/error.h"

namespace palimpsest {
namespace {

TEST(Heads, JoinedAreSideBySideUnlessTheirLogitsDoNotCompare) {
  const Head one{2, 1, {1, 2}, {3, 4}}, two{3, 1, {5, 6, 7}, {8, 9, 10}};
  const std::vector<Head> both = {one, two};
  const Head all = joined(both);
  EXPECT_EQ(all, (Head{5, 1, {1, 2, 5, 6, 7}, {3, 4, 8, 9, 10}}));
  for (const Head& other : {Head{1, 1, {5}, {0}, "cosine", 1}, Head{1, 1, {5}, {0}, "linear", 2}}) {
    const std::vector<Head> mixed = {one, other};
    EXPECT_THROW(joined(mixed), Error);
  }
}

TEST(Heads, OfAClassifierTakeThePlaceOfTheTrainedOnes) {
  NamedTensors memory;
  const Head trained{1, 2, {1, 2}, {3}}, other{1, 2, {4, 5}, {6}}, own{1, 2, {2, 4}, {8}};
  put_heads(memory, {trained, other});
  put_head(memory, "classifier/local:refit=5", 1, own);
  EXPECT_EQ(heads_in(memory), (std::vector{trained, other}));
  EXPECT_EQ(heads_in(memory, "classifier/local:refit=5"), (std::vector{trained, own}));
  EXPECT_EQ(answering_heads(memory, "local:refit=5"), (std::vector{trained, own}));
  for (const char* const text : {"", "local", "ridge"})
    EXPECT_EQ(answering_heads(memory, text), (std::vector{trained, other})) << text;
  memory.put("classifier/local:refit=5/1/norm", {.dims = {1}, .values = std::vector<float>{2}});
  EXPECT_EQ(answering_heads(memory, "local:refit=5"),
            (std::vector{trained, Head{1, 2, {1, 2}, {4}}}));
  put_head(memory, "classifier/local:refit=5", 1, {2, 1, {2, 4}, {8, 8}});
  EXPECT_THROW(heads_in(memory, "classifier/local:refit=5"), Error);
}

TEST(Heads, ThatAreCosinesAreNotDividedByANorm) {
  NamedTensors memory;
  const Head cosine{1, 2, {1, 2}, {0}, "cosine", 16};
  put_heads(memory, {cosine});
  memory.put("classifier/local:normalise=true/0/norm",
             {.dims = {1}, .values = std::vector<float>{2}});
  EXPECT_EQ(answering_heads(memory, "local:normalise=true"), std::vector{cosine});
}

}  // namespace
}  // namespace palimpsest
