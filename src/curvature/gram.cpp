// mean_n sum_tau x_{n,tau,i}^2 in every row (the diagonal of RegMean's): forward only, without
// labels.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "curvatures.h"

namespace palimpsest {
namespace {

class Gram : public Curvature {
 public:
  using Curvature::Curvature;
  std::string recorded_kind() const override { return "gram-diagonal"; }
  std::int64_t backward_passes(std::int64_t) const override { return 0; }
  at::Tensor add(const CurvaturePass& pass) const override {
    const c10::NoGradGuard no_grad;
    const at::Tensor mask = token_mask(pass.batch);
    const InputTap tap = [&](std::size_t index, const at::Tensor& input) {
      at::Tensor squares = input.to(at::kFloat).square();
      if (mask.defined()) squares.mul_(mask);
      pass.sums.add(index, [&](const at::Tensor& sums) { sums.add_(squares.sum(0)); });
    };
    return pass.objective.summed_loss(pass.model.features(pass.batch, {.input_tap = &tap}),
                                      pass.head, pass.batch.targets);
  }
};

}  // namespace

CurvatureKind gram_curvature() {
  return {.name = "gram",
          .help =
              "Second moments of each module's inputs (the diagonal of RegMean's Gram matrix), "
              "without a backward pass. Not in the paper.",
          .keys = curvature_keys(),
          .make = make_kind<Gram>};
}

}  // namespace palimpsest
