// One c a step, uniform in [1/t, 1] for the t-th task.
#include "perturbations.h"

namespace palimpsest {
namespace {

class Uniform : public Perturbation {
 public:
  explicit Uniform(const KindSettings&) {}

  StepPerturbation draw(const StepName& step, std::int64_t) const override {
    const double least = 1 / static_cast<double>(step.task + 1);
    return {.c = least + (1 - least) * step_stream(step).uniform()};
  }
};

}  // namespace

PerturbationKind uniform_perturbation() {
  return {.name = "uniform",
          .help = "One scale per step, uniform in [1/t, 1] for the t-th task. Not in the paper.",
          .make = make_kind<Uniform>};
}

}  // namespace palimpsest
