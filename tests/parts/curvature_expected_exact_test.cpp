#include <gmock/gmock.h>

#include "parts/curvature_stream.h"

namespace palimpsest {
namespace {

using ExpectedExactCurvature = CurvatureStream;

TEST_F(ExpectedExactCurvature, IsTheSumOverAllClassesByTheirProbabilities) {
  const Head head = random_head();
  const Fisher found = measured("expected-exact", head);
  SampleGradients gradients(stream_, head);
  at::Tensor expected = at::zeros({std::ssize(found.values)}, at::kDouble);
  for (std::int64_t n = 0; n < stream_.task().train.size(); ++n) {
    const at::Tensor log_p = gradients.logits(sample(gradients.session(), n)).log_softmax(1)[0];
    for (std::int64_t y = 0; y < head.classes; ++y)
      expected.add_(gradients.compute(log_p[y]).square(), log_p[y].exp().item<double>());
  }
  EXPECT_LT(distance(found.values, expected.div(static_cast<double>(found.samples))), 1e-5);
  EXPECT_EQ(found.loss, measured("empirical", head).loss) << "the loss is that of the true labels";
}

TEST_F(ExpectedExactCurvature, DrawsNothingAndGoesBackOnceAClass) {
  const auto curvature = curvatures().make("expected-exact");
  EXPECT_FALSE(curvature->draws());
  EXPECT_EQ(curvature->backward_passes(7), 7);
  EXPECT_EQ(curvature->recorded_kind(), "expected-exact-per-sample");
}

}  // namespace
}  // namespace palimpsest
