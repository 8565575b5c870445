// Task arithmetic: theta_hat_0 + scale * sum_t tau_t, of models that were each trained from
// theta_hat_0 (Ilharco et al., "Editing Models with Task Arithmetic", ICLR 2023).
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "task_sum.h"

namespace palimpsest {

std::span<const std::span<const float>> checked_task_vectors(const MergeInput& input,
                                                             std::span<const float> result) {
  const auto vectors = input.all_task_vectors;
  if (std::ssize(vectors) != input.task + 1) {
    throw Error(concat("merge of task ", input.task + 1, ": ", vectors.size(),
                       " task vectors; expected one for each task"));
  }
  for (const std::span<const float> vector : vectors) {
    if (vector.size() == result.size()) continue;
    throw Error(concat("merge of task ", input.task + 1, ": a task vector of ", vector.size(),
                       " values; expected ", result.size()));
  }
  return vectors;
}

RuleParameter scale_parameter(std::optional<RuleValue> standard) {
  return {.name = "scale",
          .standard = std::move(standard),
          .minimum = 0,
          .maximum = 10,
          .above_minimum = true};
}

namespace {

class TaskArithmetic : public MergeRule {
 public:
  explicit TaskArithmetic(RuleSettings chosen)
      : MergeRule(std::move(chosen)), scale_(settings().number("scale")) {}
  MergeNeeds needs() const override {
    return {.start = Origin::kPretrained,
            .vectors = Origin::kPretrained,
            .memory = RuleMemory::kAllTaskVectors};
  }
  MergeDecision merge(const MergeInput& input, std::span<float> result) const override {
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
  return {
      .name = "task-arithmetic",
      .help = "scale times the sum of all task vectors, each trained from the pretrained model.",
      .parameters = {scale_parameter(std::nullopt)},
      .make = make_rule<TaskArithmetic>};
}

}  // namespace palimpsest
