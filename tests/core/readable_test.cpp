// Numbers, durations, wrapping and tables.
#include "palimpsest/core/readable.h"

#include <gtest/gtest.h>

#include <limits>

#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

TEST(Readable, RoundsAndNeverPrintsMinusZero) {
  EXPECT_EQ(fixed(2.346, 2), "2.35");
  EXPECT_EQ(fixed(-2.346, 1), "-2.3");
  EXPECT_EQ(fixed(-0.0001, 1), "0.0");
  EXPECT_EQ(fixed(std::numeric_limits<double>::quiet_NaN(), 1), "nan");
  EXPECT_EQ(scientific(0.000123, 1), "1.2e-04");
}

TEST(Readable, GroupsThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1769472), "1,769,472");
  EXPECT_EQ(grouped(-123456), "-123,456");
}

TEST(Readable, WritesDurationsAsClocksDo) {
  EXPECT_EQ(duration(0.4), "0:00");
  EXPECT_EQ(duration(93.2), "1:33");
  EXPECT_EQ(duration(59.6), "1:00");
  EXPECT_EQ(duration(3725), "1:02:05");
  EXPECT_EQ(duration(172'799), "47:59:59");
  EXPECT_EQ(duration(172'800), "2.0 days");
  EXPECT_EQ(duration(4.8e6), "56 days");
  EXPECT_EQ(duration(1e300), "41667 days");
  EXPECT_EQ(duration(std::numeric_limits<double>::infinity()), "-:--");
}

TEST(Readable, ChoosesTheUnitOfBytes) {
  EXPECT_EQ(byte_count(512), "512 B");
  EXPECT_EQ(byte_count(1536), "1.5 KiB");
  EXPECT_EQ(byte_count(1048575), "1.0 MiB");
  EXPECT_EQ(byte_count(3.0 * 1024 * 1024 * 1024), "3.0 GiB");
}

TEST(Readable, WrapsBetweenWordsAndIndentsWhatFollows) {
  EXPECT_EQ(wrap("one two three four", 10, 2, 0), "one two\n  three\n  four");
  EXPECT_EQ(wrap("one two", 10, 2, 6), "one\n  two");
  EXPECT_EQ(wrap("averyverylongword b", 10, 0, 0), "averyverylongword\nb");
  EXPECT_EQ(wrap("", 10, 0, 0), "");
}

TEST(Readable, ShowsSharesInPercentAndWhatIsMissingAsADash) {
  EXPECT_EQ(percent(0.2346), "23.5");
  EXPECT_EQ(percent(0.5, 0), "50");
  EXPECT_EQ(percent(std::nullopt), "-");
  EXPECT_EQ(fixed(std::optional(1.25), 1), "1.2");
  EXPECT_EQ(scientific(std::nullopt, 1), "-");
}

TEST(Readable, JoinsAndCounts) {
  EXPECT_EQ(join(std::vector<std::string>{"admin", "net"}), "admin, net");
  EXPECT_EQ(join(std::vector<std::string>()), "");
  EXPECT_EQ(join(std::vector{1, 2}, "+", [](int number) { return 10 * number; }), "10+20");
  EXPECT_EQ(counted(1, "task"), "1 task");
  EXPECT_EQ(counted(0, "task"), "0 tasks");
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(0.1F), "0.1");
}

TEST(Readable, AlignsColumns) {
  EXPECT_EQ(text_table({{"name", "n"}, {"a", "10"}, {"bcdef", "5", "x"}}, "lrl"),
            "name    n\n"
            "a      10\n"
            "bcdef   5  x\n");
}

}  // namespace
}  // namespace palimpsest
