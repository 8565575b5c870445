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

}  // namespace
}  // namespace palimpsest
