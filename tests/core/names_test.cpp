#include "palimpsest/core/names.h"

#include <gtest/gtest.h>

#include <array>
#include <string_view>
#include <vector>

namespace palimpsest {
namespace {

TEST(NameList, NamesTheFirstAndCountsTheRest) {
  const std::vector<std::string> names = {"a", "b", "c"};
  EXPECT_EQ(name_list({}, 2), "");
  EXPECT_EQ(name_list(names, 3), "a, b, c");
  EXPECT_EQ(name_list(names, 2), "a, b and 1 more");
}

constexpr std::array<std::string_view, 4> kNames = {"epochs", "epsilon", "lr", "merge"};

TEST(NearestName, IsTheOneWithTheFewestEdits) {
  EXPECT_EQ(nearest_name("epsioln", kNames), "epsilon");  // two letters changed places
  EXPECT_EQ(nearest_name("epoch", kNames), "epochs");     // one left out
  EXPECT_EQ(nearest_name("mergee", kNames), "merge");     // one too many
  EXPECT_EQ(nearest_name("lr", kNames), "lr");
}

TEST(NearestName, IsEmptyWhenEveryCandidateIsTooFar) {
  EXPECT_EQ(nearest_name("temperature", kNames), "");
  EXPECT_EQ(nearest_name("meXYe", kNames), "merge");  // two of five letters
  EXPECT_EQ(nearest_name("mXYZe", kNames), "");       // three of five
  EXPECT_EQ(nearest_name("", kNames), "");
  EXPECT_EQ(nearest_name("epochs", {}), "");
}

TEST(NearestName, IsTheFirstOfEquals) {
  constexpr std::array<std::string_view, 2> kTwins = {"head-a", "head-b"};
  EXPECT_EQ(nearest_name("head-c", kTwins), "head-a");
}

TEST(LookAlike, OneLetterInTwoCodingsLooksTheSame) {
  EXPECT_EQ(as_it_looks("caf\xC3\xA9"), as_it_looks("cafe\xCC\x81"));
  EXPECT_EQ(as_it_looks("\xC5\xBE\xC4\x8D"),
            "z\xCC\x8C"
            "c\xCC\x8C");  // U+017E, U+010D
  EXPECT_NE(as_it_looks("caf\xC3\xA9"), as_it_looks("cafe"));
  EXPECT_NE(as_it_looks("caf\xC3\xA9"), as_it_looks("caf\xC3\xA8"));
  EXPECT_EQ(as_it_looks("stra\xC3\x9F"
                        "e"),
            "stra\xC3\x9F"
            "e");                                                  // not made of two
  EXPECT_EQ(as_it_looks("\xE7\x8C\xAB\xC3"), "\xE7\x8C\xAB\xC3");  // other scripts, broken ends
}

TEST(LookAlike, BlanksAtTheEndsAreNotSeen) {
  for (const char* name : {"cat ", " cat", "cat\t",
                           "\xEF\xBB\xBF"
                           "cat",
                           "cat\xC2\xA0",
                           "c\xE2\x80\x8B"
                           "at"})
    EXPECT_EQ(as_it_looks(name), "cat") << name;
  EXPECT_EQ(as_it_looks("a b"), "a b");
  EXPECT_EQ(as_it_looks("  "), "");
}

TEST(LookAlike, BytesAreShown) { EXPECT_EQ(with_escapes("caf\xC3\xA9 \t"), "caf\\xC3\\xA9 \\x09"); }

}  // namespace
}  // namespace palimpsest
