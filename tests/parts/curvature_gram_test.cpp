#include <gmock/gmock.h>

#include "parts/curvature_stream.h"

namespace palimpsest {
namespace {

using GramCurvature = CurvatureStream;

TEST_F(GramCurvature, IsTheMeanOverSamplesOfTheirTokensSquaresInEveryRow) {
  const Head head = random_head();
  const Fisher found = measured("gram", head);
  Session session = stream_.session({});
  at::Tensor expected = at::zeros({std::ssize(found.values)}, at::kDouble);
  const InputTap tap = [&](std::size_t index, const at::Tensor& x) {
    const AdaptedModule& module = session.model->layout().modules()[index];
    expected.narrow(0, module.offset, module.size())
        .view({module.out, module.in})
        .add_(x.to(at::kDouble).square().sum(0));
  };
  for (std::int64_t n = 0; n < stream_.task().train.size(); ++n)
    session.model->features(sample(session, n), {.input_tap = &tap});
  EXPECT_LT(distance(found.values, expected.div(static_cast<double>(found.samples))), 1e-5);
  EXPECT_EQ(found.loss, measured("empirical", head).loss) << "the loss is that of the true labels";
}

TEST_F(GramCurvature, GoesForwardOnlyWithoutLabels) {
  const auto curvature = curvatures().make("gram");
  EXPECT_FALSE(curvature->draws());
  EXPECT_EQ(curvature->backward_passes(7), 0);
  EXPECT_EQ(curvature->recorded_kind(), "gram-diagonal");
  stream_.config.curvature = "gram";
  Session session = stream_.session({});
  Task task = stream_.task();
  const Fisher found = curvature_everywhere(session, task, random_head());
  for (std::int64_t& target : task.train.targets) target = 1 - target;
  const Fisher relabelled = curvature_everywhere(session, task, random_head());
  EXPECT_EQ(relabelled.values, found.values);
  EXPECT_NE(relabelled.loss, found.loss);
}

}  // namespace
}  // namespace palimpsest
