#include "palimpsest/core/nearest_name.h"

#include <gtest/gtest.h>

#include <array>

namespace palimpsest {
namespace {

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

TEST(NearestName, FindsTheOtherUnicodeForm) {
  constexpr std::array<std::string_view, 4> kNames = {"cafe", "caf\xc3\xa9", "creme brulee",
                                                      "cr\xc3\xa8me br\xc3\xbbl\xc3\xa9\x65"};
  EXPECT_EQ(same_but_for_accents("cafe\xcc\x81", kNames), kNames[1]);
  EXPECT_EQ(same_but_for_accents("cre\xcc\x80me bru\xcc\x82le\xcc\x81\x65", kNames), kNames[3]);
  constexpr std::array<std::string_view, 1> kDecomposed = {"cafe\xcc\x81"};
  EXPECT_EQ(same_but_for_accents("caf\xc3\xa9", kDecomposed), kDecomposed[0]);
  EXPECT_EQ(same_but_for_accents("caf\xc3\xa8", kNames), "");  // another accent, the same form
  EXPECT_EQ(same_but_for_accents("caf", kNames), "");
  EXPECT_EQ(same_but_for_accents("cafe", kNames), "");
  EXPECT_EQ(same_but_for_accents("", kNames), "");
}

TEST(WithBytes, ShowsThemWhereTheyAreNotSeen) {
  EXPECT_EQ(with_bytes("hot dog "), "'hot dog '");
  EXPECT_EQ(with_bytes("caf\xc3\xa9"), "'caf\xc3\xa9' (bytes caf\\xc3\\xa9)");
  EXPECT_EQ(with_bytes("a\tb"), "'a\tb' (bytes a\\x09b)");
}

}  // namespace
}  // namespace palimpsest
