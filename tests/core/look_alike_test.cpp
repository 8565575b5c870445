#include "palimpsest/core/look_alike.h"

#include <gtest/gtest.h>

namespace palimpsest {
namespace {

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
