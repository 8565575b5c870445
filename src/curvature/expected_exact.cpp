// mean_n sum_y p_n(y) G_n(y)^2: as many backward passes as classes.
#include <ATen/ATen.h>

#include "curvatures.h"

namespace palimpsest {
namespace {

class ExpectedExact : public Curvature {
 public:
  using Curvature::Curvature;
  std::int64_t backward_passes(std::int64_t classes) const override { return classes; }
  bool needs_logits() const override { return true; }
  at::Tensor add(const CurvaturePass& pass) const override {
    return add_squares_by_logits(pass, [&](const at::Tensor& logits) {
      const at::Tensor weights = logits.detach().log_softmax(1).div(2).exp();  // sqrt(p): p squared
      const std::int64_t classes = logits.size(1);
      for (std::int64_t y = 0; y < classes; ++y) {
        pass.objective.losses(logits, at::full_like(pass.batch.targets, y))
            .mul(weights.select(1, y))
            .sum()
            .backward({}, /*retain_graph=*/y + 1 < classes);
      }
    });
  }
};

}  // namespace

CurvatureKind expected_exact_curvature() {
  return {
      .name = "expected-exact",
      .help =
          "The expected Fisher over all classes, with a backward pass for each. Not in the paper.",
      .keys = curvature_keys(),
      .make = make_kind<ExpectedExact>};
}

}  // namespace palimpsest
