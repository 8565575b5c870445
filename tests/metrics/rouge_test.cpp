#include "palimpsest/metrics/rouge.h"

#include <gtest/gtest.h>

#include <vector>

namespace palimpsest {
namespace {

using Tokens = std::vector<std::int64_t>;

// "police killed the gunman" and two others, as in Lin (2004): F with equal weights 3/4 and 1/2.
TEST(RougeL, IsThatOfThePapersExamples) {
  const Tokens reference{1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(rouge_l(reference, Tokens{1, 5, 3, 4}), 0.75);
  EXPECT_DOUBLE_EQ(rouge_l(reference, Tokens{3, 4, 5, 1}), 0.5);
}

TEST(RougeL, SeesOrderLengthAndNothingInCommon) {
  const Tokens reference{1, 2, 3};
  EXPECT_DOUBLE_EQ(rouge_l(reference, reference), 1);
  EXPECT_DOUBLE_EQ(rouge_l(reference, Tokens{3, 2, 1}), 1.0 / 3);
  EXPECT_DOUBLE_EQ(rouge_l(reference, Tokens{0, 1, 0, 2, 0, 3}), 2.0 / 3);
  EXPECT_DOUBLE_EQ(rouge_l(reference, Tokens{}), 0);
  EXPECT_DOUBLE_EQ(rouge_l(Tokens{}, Tokens{}), 1);
  EXPECT_DOUBLE_EQ(rouge_l(reference, Tokens{1, 1, 1, 1}), 2.0 / 7);
}

}  // namespace
}  // namespace palimpsest
