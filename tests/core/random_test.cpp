#include "palimpsest/core/random.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace palimpsest {
namespace {

// Known answers published with Random123 (kat_vectors, philox4x32 10 rounds).
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_THAT(philox4x32({0, 0, 0, 0}, {0, 0}),
              testing::ElementsAre(0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u));
  EXPECT_THAT(
      philox4x32({0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}, {0xffffffffu, 0xffffffffu}),
      testing::ElementsAre(0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu));
  EXPECT_THAT(
      philox4x32({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u}),
      testing::ElementsAre(0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u));
}

TEST(RandomStream, IsAFunctionOfItsKeyAlone) {
  const auto draw = [](std::uint64_t seed, Purpose purpose, std::uint32_t task,
                       std::uint64_t index) {
    RandomStream stream(seed, purpose, task, index);
    std::vector<std::uint32_t> values(9);
    for (std::uint32_t& value : values) value = stream.next();
    return values;
  };
  EXPECT_EQ(draw(7, Purpose::kShuffle, 3, 1), draw(7, Purpose::kShuffle, 3, 1));
  const std::set<std::vector<std::uint32_t>> distinct = {
      draw(7, Purpose::kShuffle, 3, 1),      draw(8, Purpose::kShuffle, 3, 1),
      draw(7, Purpose::kPerturbation, 3, 1), draw(7, Purpose::kShuffle, 4, 1),
      draw(7, Purpose::kShuffle, 3, 2),      draw(7ull << 32, Purpose::kShuffle, 3, 1)};
  EXPECT_EQ(distinct.size(), 6u);
}

TEST(RandomStream, UniformHasTheMomentsOfUniform) {
  RandomStream stream(1, Purpose::kTest, 0, 0);
  double sum = 0, squares = 0;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = stream.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / kDraws, 1.0 / 2, 4 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 4 * std::sqrt(4.0 / 45 / kDraws));
}

TEST(RandomStream, NormalNumbersHaveTheMomentsOfNormal) {
  std::vector<float> values(99'999);
  fill_normal(values, RandomStream(7, Purpose::kTest, 0, 2));
  std::array<double, 4> moments = {};
  for (const float value : values)
    for (std::size_t i = 0; i < moments.size(); ++i)
      moments[i] += std::pow(value, static_cast<double>(i + 1)) / 99'999;
  EXPECT_NEAR(moments[0], 0, 0.015);
  EXPECT_NEAR(moments[1], 1, 0.02);
  EXPECT_NEAR(moments[2], 0, 0.05);
  EXPECT_NEAR(moments[3], 3, 0.15);
}

TEST(RandomStream, BelowIsUnbiased) {
  RandomStream stream(2, Purpose::kTest, 0, 0);
  std::array<int, 3> counts{};
  constexpr int kDraws = 90000;
  for (int i = 0; i < kDraws; ++i) ++counts[stream.below(3)];
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 3, 4 * std::sqrt(kDraws * 2.0 / 9));
}

TEST(Permutation, HasEveryNumberOnceAndDependsOnTheKey) {
  const auto first = permutation(100, RandomStream(1, Purpose::kShuffle, 0, 0));
  const auto second = permutation(100, RandomStream(1, Purpose::kShuffle, 0, 1));
  std::vector<std::int64_t> sorted = first;
  std::ranges::sort(sorted);
  for (std::int64_t i = 0; i < 100; ++i) EXPECT_EQ(sorted[static_cast<std::size_t>(i)], i);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace palimpsest
