#include <gmock/gmock.h>

#include "parts/curvature_stream.h"

namespace palimpsest {
namespace {

using EmpiricalCurvature = CurvatureStream;

TEST_F(EmpiricalCurvature, IsTheMeanSquareOfEverySamplesGradient) {
  const Head head = random_head();
  const Fisher found = measured("empirical", head);
  SampleGradients gradients(stream_, head);
  at::Tensor expected = at::zeros({std::ssize(found.values)}, at::kDouble);
  double loss = 0;
  for (std::int64_t n = 0; n < stream_.task().train.size(); ++n) {
    const Batch batch = sample(gradients.session(), n);
    const at::Tensor own = at::cross_entropy_loss(gradients.logits(batch), batch.targets);
    expected.add_(gradients.compute(own).square());
    loss += own.item<double>();
  }
  const auto samples = static_cast<double>(found.samples);
  EXPECT_EQ(found.samples, stream_.task().train.size());
  EXPECT_LT(distance(found.values, expected.div(samples)), 1e-5);
  EXPECT_NEAR(found.loss, loss / samples, 1e-5);
}

TEST_F(EmpiricalCurvature, DrawsNothingAndGoesBackOnce) {
  const auto curvature = curvatures().make("empirical");
  EXPECT_FALSE(curvature->draws());
  EXPECT_EQ(curvature->backward_passes(7), 1);
  EXPECT_EQ(curvature->recorded_kind(), "empirical-per-sample");
}

// Sums of other scales would mean nothing together.
TEST_F(EmpiricalCurvature, IsNamedInTheMemoryOfARunWithItsScale) {
  const auto curvature = curvatures().make("empirical:scale=trace");
  EXPECT_EQ(curvature->scale(), FisherScale::kTrace);
  EXPECT_EQ(curvature->instance(), "curvature/empirical:scale=trace");
  EXPECT_THAT(curvature->needs("--merge closed-form").names,
              testing::ElementsAre("curvature/empirical:scale=trace/s0",
                                   "curvature/empirical:scale=trace/s1"));
  EXPECT_NE(curvatures().make("empirical")->instance(), curvature->instance());
}

}  // namespace
}  // namespace palimpsest
