// Task arithmetic: theta_hat_0 + scale * sum_t tau_t, of models that were each trained from
// theta_hat_0 (Ilharco et al., "Editing Models with Task Arithmetic", ICLR 2023).
#include "task_sum.h"

namespace palimpsest {

namespace {

class TaskArithmetic : public MergeRule {
 public:
  explicit TaskArithmetic(KindSettings chosen)
      : MergeRule(std::move(chosen)), scale_(settings().number("scale")) {}
  MergeNeeds needs() const override { return all_task_vectors(Origin::kPretrained); }
  RuleOutput merge(const MergeInput& input, std::span<float> result) const override {
    const auto vectors = checked_task_vectors(input, result);
    return write_scaled(scale_, result, [&](std::size_t i) {
      double sum = 0;
      for (const std::span<const float> vector : vectors) sum += vector[i];
      return sum;
    });
  }

 private:
  double scale_;
};

}  // namespace

RuleKind task_arithmetic_kind() {
  return {.name = "task-arithmetic",
          .help =
              "scale times the sum of all task vectors, each trained from the pretrained model "
              "(task arithmetic).",
          .keys = {scale_key(std::nullopt)},
          .make = make_kind<TaskArithmetic>};
}

}  // namespace palimpsest
