// mean_n G_n(y_n)^2 with y_n drawn from the model, by (seed, task, sample).
#include <ATen/ATen.h>

#include "curvatures.h"

namespace palimpsest {
namespace {

// One label for each row of logits: that in whose share of [0, 1) its number lies, the shares being
// the probabilities. `uniform`: [samples] float64.
at::Tensor drawn_labels(const at::Tensor& logits, const at::Tensor& uniform) {
  const at::Tensor probabilities = logits.detach().to(at::kDouble).softmax(1);
  const std::int64_t classes = probabilities.size(1);
  // A product instead of cumsum, which promises no order of additions on a device.
  const at::Tensor ends =
      probabilities.mm(at::ones({classes, classes}, probabilities.options()).triu());
  return ends.le(uniform.unsqueeze(1)).sum(1).clamp_max(classes - 1);
}

class ExpectedSampled : public Curvature {
 public:
  using Curvature::Curvature;
  bool draws() const override { return true; }
  bool needs_logits() const override { return true; }
  at::Tensor add(const CurvaturePass& pass) const override {
    return add_squares_by_logits(pass, [&](const at::Tensor& logits) {
      pass.objective.loss(logits, drawn_labels(logits, pass.batch.numbers)).backward();
    });
  }
};

}  // namespace

CurvatureKind expected_sampled_curvature() {
  return {.name = "expected-sampled",
          .help = "The expected Fisher, with labels sampled from the model. Not in the paper.",
          .keys = curvature_keys(),
          .make = make_kind<ExpectedSampled>};
}

}  // namespace palimpsest
