#include <gmock/gmock.h>

#include "palimpsest/classifier/classifier.h"

namespace palimpsest {
namespace {

TEST(NoClassifier, AnswersNothingAndKeepsNothing) {
  const auto none = classifiers().make("none");
  EXPECT_FALSE(none->compares_classes());
  EXPECT_FALSE(none->takes_features());
  EXPECT_THAT(none->needs(3), testing::IsEmpty());
  EXPECT_EQ(none->scores({}, {}, at::kCPU), nullptr);
}

}  // namespace
}  // namespace palimpsest
