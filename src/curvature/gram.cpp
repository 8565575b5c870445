// mean_n sum_tau x_{n,tau,i}^2 in every row (the diagonal of RegMean's): forward only, without
// labels.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "curvatures.h"

namespace palimpsest {
namespace {

// [tokens, 1]: 1 where a row holds a token, 0 where it fills a text up; undefined where all do.
at::Tensor is_token(const Batch& batch) {
  const auto* texts = std::get_if<PaddedTexts>(&batch.samples);
  if (texts == nullptr) return {};
  return (at::arange(texts->ids.size(1), texts->ids.options()) < texts->lengths.unsqueeze(1))
      .to(at::kFloat)
      .view({-1, 1});
}

class Gram : public Curvature {
 public:
  using Curvature::Curvature;
  std::string recorded_kind() const override { return "gram-diagonal"; }
  std::int64_t backward_passes(std::int64_t) const override { return 0; }
  at::Tensor add(const CurvaturePass& pass) const override {
    const c10::NoGradGuard no_grad;
    const at::Tensor counted = is_token(pass.batch);
    const InputTap tap = [&](std::size_t index, const at::Tensor& input) {
      at::Tensor squares = input.to(at::kFloat).square();
      if (counted.defined()) squares.mul_(counted);
      pass.module(index).add_(squares.sum(0));
    };
    return pass.objective.logits(pass.model.features(pass.batch, {.input_tap = &tap}), pass.head);
  }
};

}  // namespace

CurvatureKind gram_curvature() {
  return {.name = "gram",
          .help =
              "The inputs' second moments (the diagonal of RegMean's), forward only. Not in the "
              "paper.",
          .parameters = {scale_parameter()},
          .make = make_kind<Gram>};
}

}  // namespace palimpsest
