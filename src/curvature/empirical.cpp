// The paper's: mean_n G_n(y_n)^2, y_n the true label.
#include <ATen/ATen.h>

#include "curvatures.h"

namespace palimpsest {
namespace {

class Empirical : public Curvature {
 public:
  using Curvature::Curvature;
  at::Tensor add(const CurvaturePass& pass) const override {
    at::Tensor loss;
    add_squared_gradients(pass, [&](const at::Tensor& features) {
      loss = pass.objective.summed_loss(features, pass.head, pass.batch.targets);
      loss.backward();
    });
    return loss.detach();
  }
};

}  // namespace

CurvatureKind empirical_curvature() {
  return {.name = "empirical",
          .help = "The Fisher of the true labels, as in the paper.",
          .keys = curvature_keys(),
          .make = make_kind<Empirical>,
          .other_names = {{"fisher", "empirical"}, {"diagonal", "empirical"}}};
}

}  // namespace palimpsest
