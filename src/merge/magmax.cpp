// MagMax: by element, the task vector with the largest magnitude, of models trained one after
// another without a merge and measured from theta_hat_0 (Marczak et al., "MagMax: Leveraging Model
// Merging for Seamless Continual Learning", ECCV 2024).
#include <cmath>

#include "task_sum.h"

namespace palimpsest {
namespace {

class MagMax : public MergeRule {
 public:
  explicit MagMax(KindSettings chosen)
      : MergeRule(std::move(chosen)), scale_(settings().number("scale")) {}
  MergeNeeds needs() const override { return all_task_vectors(Origin::kLast); }
  // The earliest task's element where magnitudes are equal.
  RuleOutput merge(const MergeInput& input, std::span<float> result) const override {
    const auto vectors = checked_task_vectors(input, result);
    return write_scaled(scale_, result, [&](std::size_t i) {
      float largest = 0;
      for (const std::span<const float> vector : vectors) {
        if (std::abs(vector[i]) > std::abs(largest)) largest = vector[i];
      }
      return static_cast<double>(largest);
    });
  }

 private:
  double scale_;
};

}  // namespace

RuleKind magmax_kind() {
  return {.name = "magmax",
          .help =
              "For each element the largest change of all task vectors from the pretrained model "
              "(MagMax).",
          .keys = {scale_key(1.0)},
          .make = make_kind<MagMax>};
}

}  // namespace palimpsest
