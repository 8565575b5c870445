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

}  // namespace
}  // namespace palimpsest
