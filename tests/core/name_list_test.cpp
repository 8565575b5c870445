#include "palimpsest/core/name_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace palimpsest {
namespace {

TEST(NameList, NamesTheFirstAndCountsTheRest) {
  const std::vector<std::string> names = {"a", "b", "c"};
  EXPECT_EQ(name_list({}, 2), "");
  EXPECT_EQ(name_list(names, 3), "a, b, c");
  EXPECT_EQ(name_list(names, 2), "a, b and 1 more");
}

}  // namespace
}  // namespace palimpsest
